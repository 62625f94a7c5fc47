import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test, vi } from 'vitest';
import {
  createDetector,
  createNetwork,
  DisposedError,
  ImageError,
  ModelError,
  type Pixels,
  type Progress,
  readImage,
  UnsupportedOpError,
} from '../../src/index.node.ts';
import { expectSameFaces } from '../support/compare.ts';
import { imageNamed, modelNamed, withData } from '../support/data.ts';
import { openGpu, slowAdapter } from '../support/gpu.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { disposeOrt } from '../support/ort.ts';
import { loadOpenCv } from '../support/reference-letterbox.ts';
import { detectReference } from '../support/reference-scrfd.ts';

const run = promisify(execFile);

function blank(width: number, height: number): Pixels {
  return { data: new Uint8Array(width * height * 3), width, height, channels: 3 };
}

describe('bad models', () => {
  const relu = (outputs: string[]) =>
    buildModel({
      inputs: [{ name: 'x', dims: [1, 3, 'h', 'w'] }],
      outputs,
      nodes: outputs.map((name) => ({ op: 'Relu', inputs: ['x'], outputs: [name] })),
    });

  test('no detector: the outputs are named', async () => {
    await expect(createDetector(relu(['y']))).rejects.toThrow(
      'model is not an SCRFD detector: of 640×640 cells expected one output with a Sigmoid, the scores, got "y" 1×3×640×640',
    );
  });

  test('right number of outputs, wrong heads', async () => {
    const names = Array.from({ length: 18 }, (_, i) => `o${i}`);
    const error = await createDetector(relu(names)).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ModelError);
    expect((error as Error).message).toMatch(/got "o0" 1×3×640×640, .*, "o14" 1×3×640×640 and 3 more$/);
  });

  test('an operator without a kernel is named with its node', async () => {
    const model = buildModel({
      inputs: [{ name: 'x', dims: [1, 3, 8, 8] }],
      outputs: ['y'],
      nodes: [{ op: 'Fourier', name: 'odd_one', inputs: ['x'], outputs: ['y'] }],
    });
    const error = await createNetwork(model, { inputShape: [1, 3, 8, 8] }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UnsupportedOpError);
    expect(error).toMatchObject({ node: 'odd_one', op: 'Fourier', message: 'odd_one: Fourier has no mapping' });
  });

  test.each([
    ['empty bytes', new Uint8Array(), ModelError],
    ['a missing file', 'no/such/model.onnx', ModelError],
    ['no path or bytes', 42 as unknown as string, TypeError],
  ])('%s', async (_, model, type) => {
    await expect(createDetector(model)).rejects.toThrow(type);
  });
});

withData('detector', () => {
  const tiny = () => modelNamed('det_500m.onnx');
  afterAll(disposeOrt);

  test('checks its options and arguments', async () => {
    const { device } = await openGpu();
    await expect(createDetector(tiny(), { device, scoreThreshold: 2 })).rejects.toThrow(
      'scoreThreshold: expected a number from 0 to 1, got 2',
    );
    await expect(createDetector(tiny(), { device, inputSize: [0, 64] })).rejects.toThrow(
      'inputSize: expected two integers of 1 to 65536 [width, height], got [0, 64]',
    );
    await using detector = await createDetector(tiny(), { device, inputSize: [64, 64] });
    const detect = (image: unknown, options = {}) => detector.detect(image as Pixels, options);
    await expect(detect({ ...blank(4, 4), width: 0 })).rejects.toThrow('at least 1 pixel, got 0×4');
    await expect(detect({ ...blank(4, 4), channels: 1 })).rejects.toThrow('expected 3 or 4 channels, got 1');
    await expect(detect({ ...blank(4, 4), width: 5 })).rejects.toThrow('expected 60 bytes for 5×4×3, got 48');
    await expect(detect({ ...blank(4, 4), data: [1, 2] })).rejects.toThrow(TypeError);
    await expect(detect(blank(4, 4), { iouThreshold: -1 })).rejects.toThrow('iouThreshold');
    await expect(detect(blank(4, 4), { maxFaces: 1.5 })).rejects.toThrow('maxFaces');
    await expect(detect('no/such/picture.jpg')).rejects.toThrow(ImageError);
    await expect(detect(blank(4, 4), { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    await expect(detect(blank(4, 4), { scoreTreshold: 0.3 })).rejects.toThrow('did you mean scoreThreshold?');
    await expect(detect(blank(4, 4), { warmUp: true })).rejects.toThrow('warmUp: no such option');
    await expect(detector.alignFaces(blank(4, 4), [], { sizes: 112 } as object)).rejects.toThrow('did you mean size?');
    await expect(createDetector(tiny(), { inputsize: [64, 64] } as object)).rejects.toThrow('did you mean inputSize?');
    const shape = { inputShape: [1, 3, 32, 32], inputshape: 0 } as const;
    await expect(createNetwork(tiny(), shape)).rejects.toThrow('did you mean inputShape?');
    // none of it broke the detector
    expect(await detect(blank(4, 4))).toEqual([]);
  });

  test('a picture larger than the adapter can bind has its faces', { timeout: 60_000 }, async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(tiny(), { device, inputSize: [320, 320] });
    const small = await readImage(imageNamed('astronaut_nasa.png'));
    // every pixel a square
    const times = Math.ceil(Math.sqrt(device.limits.maxStorageBufferBindingSize / small.data.length)) + 1;
    const { width, height } = { width: small.width * times, height: small.height * times };
    const data = new Uint8Array(width * height * 3);
    const row = new Uint8Array(width * 3);
    for (let y = 0; y < small.height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (y * small.width + Math.floor(x / times)) * 3;
        row.set(small.data.subarray(from, from + 3), x * 3);
      }
      for (let i = 0; i < times; i++) data.set(row, (y * times + i) * row.length);
    }
    const nearest = { interpolation: 'nearest' } as const;
    const [face] = await detector.detect(small, nearest);
    const [found, ...others] = await detector.detect({ data, width, height, channels: 3 }, nearest);
    expect(others).toEqual([]);
    expect(found!.score).toBeCloseTo(face!.score, 1);
    found!.box.forEach((edge, i) => {
      expect(Math.abs(edge / times - face!.box[i]!)).toBeLessThan(2);
    });
  });

  test('tells how many kernels are compiled, and warms up when asked', async () => {
    const { device } = await openGpu();
    const compile = vi.spyOn(device, 'createComputePipelineAsync');
    const submit = vi.spyOn(device.queue, 'submit');
    const options = { device, inputSize: [96, 64] } as const;
    for (const warmUp of [false, true]) {
      compile.mockClear();
      submit.mockClear();
      const progress: Progress[] = [];
      const detector = await createDetector(tiny(), { ...options, warmUp, onProgress: (now) => progress.push(now) });
      const total = compile.mock.calls.length;
      expect(progress).toEqual(
        Array.from({ length: total + 1 }, (_, compiled) => ({ phase: 'compile', compiled, total })),
      );
      expect(total).toBeGreaterThan(5);
      expect(submit.mock.calls.length).toBe(warmUp ? 1 : 0);
      await detector.detect(blank(96, 64));
      expect(compile.mock.calls.length).toBe(total);
      progress.length = 0;
      const report = { onProgress: (now: Progress) => progress.push(now) };
      await detector.detect(blank(96, 64), { inputSize: [64, 96], ...report });
      const other = progress.length - 1;
      expect(progress.at(-1)).toEqual({ phase: 'compile', compiled: other, total: other });
      await detector.detect(blank(96, 64), { inputSize: [64, 96], ...report });
      expect(progress).toHaveLength(other + 1);
      await detector.dispose();
    }
    compile.mockRestore();
    submit.mockRestore();
    await expect(createDetector(tiny(), { device, inputSize: 'image', warmUp: true })).rejects.toThrow(
      "warmUp: expected an inputSize to compile for, got 'image'",
    );
    const onProgress = () => {
      throw new Error('enough');
    };
    await expect(createDetector(tiny(), { ...options, onProgress })).rejects.toThrow('enough');
  });

  test('rounds sizes up to the stride', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(tiny(), { device, inputSize: [100, 33] });
    expect(detector.inputSize).toEqual([128, 64]);
    await using person = await createDetector(modelNamed('scrfd_person_2.5g.onnx'), { device, inputSize: [100, 129] });
    expect(person.inputSize).toEqual([128, 256]);
  });

  test('takes the size that a file fixes', async () => {
    const { device } = await openGpu();
    const path = modelNamed('scrfd_500m_kps_static320.onnx');
    await using detector = await createDetector(path, { device });
    expect(detector.inputSize).toEqual([320, 320]);
    await expect(createDetector(path, { device, inputSize: [640, 640] })).rejects.toThrow(
      'is fixed at 1×3×320×320 in the file, got 1×3×640×640',
    );
  });

  test('sizes side by side equal detectors of one size each', async () => {
    const { device } = await openGpu();
    const image = await readImage(imageNamed('insightface_t1.jpg'));
    await using both = await createDetector(tiny(), { device, inputSize: [320, 320] });
    await using other = await createDetector(tiny(), { device, inputSize: [256, 192] });
    const first = await both.detect(image);
    expect(await both.detect(image, { inputSize: [256, 192] })).toEqual(await other.detect(image));
    expect(await both.detect(image)).toEqual(first);
  });

  test('RGBA bytes, encoded bytes and a path give the same faces', async () => {
    const { device } = await openGpu();
    const path = imageNamed('astronaut_nasa.png');
    await using detector = await createDetector(tiny(), { device, inputSize: [320, 320] });
    const image = await readImage(path);
    const rgba = new Uint8ClampedArray(image.width * image.height * 4).fill(77);
    for (let i = 0; i < image.width * image.height; i++) rgba.set(image.data.subarray(3 * i, 3 * i + 3), 4 * i);
    const faces = await detector.detect(path);
    expect(faces).toHaveLength(1);
    expect(await detector.detect({ ...image, data: rgba, channels: 4 })).toEqual(faces);
    const { width, height } = image;
    for (const data of [rgba, image.data]) expect(await detector.detect({ data, width, height })).toEqual(faces);
    expect(await detector.detect(await (await import('node:fs/promises')).readFile(path))).toEqual(faces);
  });

  test('limits of what is read', async () => {
    const { device } = await openGpu();
    const [model, picture] = [modelNamed('scrfd_500m_kps.onnx'), imageNamed('hopper.png')];
    const limits = { maxPixels: 1000 };
    await using detector = await createDetector(model, { device, inputSize: [64, 64], limits });
    for (const image of [picture, readFileSync(picture)]) {
      await expect(detector.detect(image)).rejects.toThrow(
        'expected at most 1000 pixels (maxPixels), got PNG of 128×128',
      );
    }
    const less = { device, limits: { maxBytes: 1000 } };
    for (const open of [
      () => createDetector(model, less),
      () => createNetwork(model, { ...less, inputShape: [1, 3, 64, 64] }),
    ]) {
      const opening = open();
      await expect(opening).rejects.toThrow('scrfd_500m_kps.onnx: expected at most 1000 bytes (maxBytes), got 2');
      await expect(opening).rejects.toThrow(ModelError);
    }
  });

  test('memory that threads share gives the same faces', async () => {
    const { device } = await openGpu();
    const share = (bytes: Uint8Array) => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 3)).subarray(3);
      shared.set(bytes);
      return shared;
    };
    const file = imageNamed('astronaut_nasa.png');
    const pixels = await readImage(file);
    const options = { device, inputSize: [160, 160], scoreThreshold: 0.3 } as const;
    await using own = await createDetector(tiny(), options);
    await using detector = await createDetector(share(readFileSync(tiny())), options);
    const faces = await own.detect(pixels);
    expect(faces.length).toBeGreaterThan(0);
    const shared = { ...pixels, data: share(pixels.data as Uint8Array) };
    const clamped = { ...pixels, data: new Uint8ClampedArray(shared.data.buffer, 3, shared.data.length) };
    for (const image of [shared, clamped, share(readFileSync(file))]) {
      expect(await detector.detect(image)).toEqual(faces);
      expect(await detector.detectBatch([image, pixels])).toEqual([faces, faces]);
    }
  });

  test('pixels that are taken away meanwhile are said, and give no faces of another picture', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(tiny(), { device, inputSize: [160, 160], scoreThreshold: 0.3 });
    const file = imageNamed('astronaut_nasa.png');
    const picture = await readImage(file);
    const faces = await detector.detect(picture);
    const gone = blank(picture.width, picture.height);
    // while the other one is decoded
    const call = detector.detectBatch([gone, file]);
    await new Promise((resolve) => setImmediate(resolve));
    structuredClone(gone.data, { transfer: [gone.data.buffer as ArrayBuffer] });
    const bytes = picture.data.length;
    const message = `image: expected its ${bytes} bytes to stay until the call ends, 0 are left`;
    await expect(call).rejects.toThrow(new TypeError(message));
    expect(await detector.detect(picture)).toEqual(faces);
  });

  test('calls that overlap keep their own pictures and options', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(tiny(), { device, inputSize: [320, 320] });
    const [one, many] = await Promise.all(
      ['astronaut_nasa.png', 'insightface_t1.jpg'].map((n) => readImage(imageNamed(n))),
    );
    const calls = [detector.detect(one!), detector.detect(many!), detector.detect(many!, { maxFaces: 2 })];
    const counts = (await Promise.all(calls)).map((faces) => faces.length);
    expect(counts).toEqual([1, 6, 2]);
  });

  test.each(['default', 'max'] as const)('maxFaces by metric %s', async (maxFacesMetric) => {
    await loadOpenCv();
    const { device } = await openGpu();
    const path = modelNamed('scrfd_500m_kps.onnx');
    const image = await readImage(imageNamed('worlds_largest_selfie_progressive.jpg'));
    await using detector = await createDetector(path, { device });
    const options = { maxFaces: 7, maxFacesMetric, scoreThreshold: 0.3 };
    const expected = await detectReference(path, image, { inputSize: [640, 640], ...options });
    expect(expected).toHaveLength(7);
    expectSameFaces(await detector.detect(image, options), expected);
  });

  test('threshold 0 keeps every anchor as a candidate', async () => {
    await loadOpenCv();
    const { device } = await openGpu();
    const path = modelNamed('scrfd_500m_kps.onnx');
    const image = await readImage(imageNamed('worlds_largest_selfie_progressive.jpg'));
    await using detector = await createDetector(path, { device, inputSize: [320, 320] });
    for (const iouThreshold of [0.4, 1]) {
      const options = { scoreThreshold: 0, iouThreshold };
      const faces = await detector.detect(image, options);
      const expected = await detectReference(path, image, { inputSize: [320, 320], ...options });
      expect(faces.length).toBe(expected.length);
      // 2 anchors on 40², 20² and 10² cells: an overlap above 1 drops nothing
      if (iouThreshold === 1) expect(faces.length).toBe(4200);
      // boxes of faint anchors overlap by amounts that rounding decides, so only the clear ones are compared
      const clear = <T extends { score: number }>(list: readonly T[]) => list.filter(({ score }) => score > 0.1);
      expectSameFaces(clear(faces), clear(expected));
    }
  });

  const runs = slowAdapter ? 20 : 100;
  test(`${runs} runs are bit-identical`, async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(tiny(), { device, inputSize: [256, 256], scoreThreshold: 0.02 });
    const image = await readImage(imageNamed('worlds_largest_selfie_progressive.jpg'));
    const first = JSON.stringify(await detector.detect(image));
    for (let i = 1; i < runs; i++) expect(JSON.stringify(await detector.detect(image))).toBe(first);
  });

  test('a disposed detector says so, a borrowed device lives on', async () => {
    const { device } = await openGpu();
    const detector = await createDetector(tiny(), { device, inputSize: [64, 64] });
    const pending = detector.detect(blank(8, 8));
    // its picture is still being read when the detector is told to go
    const reading = detector.detect(imageNamed('astronaut_nasa.png'));
    await Promise.all([detector.dispose(), detector.dispose()]);
    expect(await pending).toEqual([]);
    expect(await reading).toEqual([]);
    await expect(detector.detect(blank(8, 8))).rejects.toThrow(DisposedError);
    await using again = await createDetector(tiny(), { device, inputSize: [64, 64] });
    expect(await again.detect(blank(8, 8))).toEqual([]);
  });

  test('a lost device rejects with a typed error', async () => {
    const { GpuContext } = await import('../../src/runtime/gpu-context.ts');
    const { nodePlatform } = await import('../../src/node/platform.ts');
    const context = await GpuContext.open(nodePlatform, undefined);
    const detector = await createDetector(tiny(), { device: context.device, inputSize: [64, 64] });
    context.device.destroy();
    await context.device.lost;
    await expect(detector.detect(blank(8, 8))).rejects.toMatchObject({ name: 'DeviceError', reason: 'lost' });
    await detector.dispose();
  });

  test.skipIf(slowAdapter)(
    'hundreds of calls of every kind leave no GPU buffers and no heap behind, and the process ends by itself',
    {
      timeout: 600_000,
    },
    async () => {
      const script = fileURLToPath(new URL('../manual/soak.ts', import.meta.url));
      const args = ['--expose-gc', '--import', 'tsx', script, '600'];
      const { stdout } = await run(process.execPath, args, { timeout: 600_000 });
      const reports = stdout.trim().split('\n');
      const [start, , end] = reports.map((line) => JSON.parse(line) as Record<string, number>);
      expect(end!.faces! - start!.faces!).toBeGreaterThan(600);
      expect(end!.buffers).toBe(start!.buffers);
      expect(end!.arrayBuffers! - start!.arrayBuffers!).toBeLessThan(1_000_000);
      // one JSON of faces is about 1 kB; a leak of 2 kB a call would be more
      expect(end!.heapUsed! - start!.heapUsed!).toBeLessThan(1_000_000);
    },
  );
});
