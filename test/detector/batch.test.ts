import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test, vi } from 'vitest';
import type { Size } from '../../src/common/geometry.ts';
import { compileDetector } from '../../src/detector/compile.ts';
import { Detector } from '../../src/detector/detector.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { createDetector, type Face, ImageError, type Pixels, readImage, type Timings } from '../../src/index.node.ts';
import { convKey } from '../../src/kernels/conv/methods.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { TextureUsage } from '../../src/runtime/gpu-flags.ts';
import type { Platform } from '../../src/runtime/platform.ts';
import type { TuningStore } from '../../src/runtime/tuner.ts';
import { imageNamed, modelNamed, withData } from '../support/data.ts';
import { openGpu, slowAdapter } from '../support/gpu.ts';
import { watchDevices } from '../support/losses.ts';

/** Node's platform, on devices that say they are hardware; told of every buffer that is made. */
function asHardware(onBuffer: (descriptor: GPUBufferDescriptor) => void): Platform {
  return watchDevices((device) => {
    const { vendor, architecture, description } = device.adapterInfo;
    Object.defineProperty(device, 'adapterInfo', { value: { vendor, architecture, description } });
    const create = device.createBuffer.bind(device);
    device.createBuffer = (each) => {
      onBuffer(each);
      return create(each);
    };
  });
}

/** Choices of a kernel for all convolutions of a model that a software adapter compiles in no time: hardware's take it minutes. */
async function directly(path: string, inputSize: Size): Promise<TuningStore> {
  const hardware = await loadTarget({ software: false, subgroupSize: 0 });
  const parsed = await loadModel(new Uint8Array(await readFile(path)));
  const { convs } = compileDetector(parsed, { batch: 1, inputSizes: [inputSize] }, hardware);
  const choices = Object.fromEntries(convs.map((spec) => [convKey(spec), 'direct']));
  return { read: async () => JSON.stringify(choices), write: async () => {} };
}

withData('detector: batches and frames', () => {
  const model = () => modelNamed('det_500m.onnx');
  const inputSize = [320, 320] as const;
  let pictures: Pixels[];
  beforeAll(async () => {
    const names = ['astronaut_nasa.png', 'insightface_t1.jpg', 'noface_coffee.png', 'hopper_orientation_6.jpg'];
    pictures = await Promise.all(names.map((name) => readImage(imageNamed(name))));
  });

  function makeTexture(device: GPUDevice, { data, width, height }: Pixels): GPUTexture {
    const bytes = new Uint8Array(width * height * 4);
    for (let i = 0; i < width * height; i++) bytes.set(data.subarray(i * 3, i * 3 + 3), i * 4);
    const usage = TextureUsage.COPY_SRC | TextureUsage.COPY_DST;
    const texture = device.createTexture({ size: [width, height], format: 'rgba8unorm', usage });
    device.queue.writeTexture({ texture }, bytes, { bytesPerRow: width * 4 }, [width, height]);
    return texture;
  }

  function blank(width: number, height: number): Pixels {
    return { data: new Uint8Array(width * height * 3), width, height, channels: 3 };
  }

  test('a batch of different sizes equals one call each', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(model(), { device, inputSize, scoreThreshold: 0.1 });
    const single = [];
    for (const picture of pictures) single.push(await detector.detect(picture));
    expect(single.flat().length).toBeGreaterThan(6);
    expect(await detector.detectBatch(pictures)).toEqual(single);
    expect(await detector.detectBatch(pictures.slice(1))).toEqual(single.slice(1));
    expect(await detector.detectBatch([])).toEqual([]);
    // with two sizes, each with a frame an image
    const both = { inputSizes: [[64, 64], inputSize] } as const;
    const joint = [];
    for (const picture of pictures) joint.push(await detector.detect(picture, both));
    expect(await detector.detectBatch(pictures, both)).toEqual(joint);
  });

  test('crowds are read whole, from each image of a batch', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(model(), { device, inputSize, scoreThreshold: 0, iouThreshold: 1 });
    const all = (320 / 8) ** 2 * 2 + (320 / 16) ** 2 * 2 + (320 / 32) ** 2 * 2;
    const faces = await detector.detectBatch([pictures[0]!, pictures[1]!]);
    expect(faces.map(({ length }) => length)).toEqual([all, all]);
    expect(faces[1]).toEqual(await detector.detect(pictures[1]!));
    for (const { box, score } of faces[0]!) expect([...box, score].every(Number.isFinite)).toBe(true);
  });

  test('one bad picture fails the batch and no other', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(model(), { device, inputSize: [64, 64] });
    await expect(detector.detectBatch([pictures[0]!, 'no/such/picture.png'])).rejects.toThrow(ImageError);
    expect(await detector.detectBatch([blank(5, 5)])).toEqual([[]]);
  });

  test.each([1, 2, 3])('%i frames in flight give what one by one gives', async (inFlight) => {
    const { device } = await openGpu();
    const options = { device, inputSize, inFlight, scoreThreshold: 0.1 };
    await using detector = await createDetector(model(), options);
    const single: Face[][] = [];
    for (const picture of pictures) single.push(await detector.detect(picture));
    const order = [0, 1, 2, 3, 1, 0, 3, 2, 2, 1];
    expect(await Promise.all(order.map((i) => detector.detect(pictures[i]!)))).toEqual(order.map((i) => single[i]));
    const results = [];
    for await (const { frame, faces } of detector.stream(
      order.map((i) => pictures[i]!),
      { inFlight: 3 },
    )) {
      results.push([pictures.indexOf(frame), faces]);
    }
    expect(results).toEqual(order.map((i) => [i, single[i]]));
  });

  test('textures of the detector’s device are pictures', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(model(), { device, inputSize, scoreThreshold: 0.1 });
    const { data, width, height } = pictures[1]!;
    const expected = await detector.detect(pictures[1]!);
    for (const format of ['rgba8unorm', 'bgra8unorm'] as const) {
      const bytes = new Uint8Array(width * height * 4);
      const places = format === 'rgba8unorm' ? [0, 1, 2] : [2, 1, 0];
      for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) bytes[i * 4 + places[c]!] = data[i * 3 + c]!;
      const usage = TextureUsage.COPY_SRC | TextureUsage.COPY_DST;
      const texture = device.createTexture({ size: [width, height], format, usage });
      device.queue.writeTexture({ texture }, bytes, { bytesPerRow: width * 4 }, [width, height]);
      expect(await detector.detect(texture)).toEqual(expected);
      expect(await detector.detectBatch([pictures[1]!, texture])).toEqual([expected, expected]);
      texture.destroy();
    }
    const float = device.createTexture({ size: [4, 4], format: 'rgba16float', usage: 1 });
    await expect(detector.detect(float)).rejects.toThrow('expected a texture of format rgba8unorm');
    const sealed = device.createTexture({ size: [4, 4], format: 'rgba8unorm', usage: 4 });
    await expect(detector.detect(sealed)).rejects.toThrow('usage COPY_SRC');
  });

  test('what has not changed since a plan’s last run is not written again', async () => {
    const { device } = await openGpu();
    const words = { data: new Uint8Array(16 * 16 * 4).fill(99), width: 16, height: 16, channels: 4 } as const;
    await using detector = await createDetector(model(), { device, inputSize: [64, 64] });
    const write = vi.spyOn(device.queue, 'writeBuffer');
    const written = async (...args: Parameters<typeof detector.detect>) => {
      write.mockClear();
      await detector.detect(...args);
      return write.mock.calls.map(([buffer]) => buffer.label);
    };
    const all = ['pixels', 'resizeTable', 'imageParams'];
    try {
      expect(await written(words)).toEqual(all);
      expect(await written(words)).toEqual(['pixels']);
      // other pixels of the same size, and an option as it is by default
      expect(await written({ ...words, data: new Uint8Array(16 * 16 * 4) }, { scoreThreshold: 0.5 })).toEqual([
        'pixels',
      ]);
      expect(await written(words, { scoreThreshold: 0.6 })).toEqual(all);
      expect(await written(words)).toEqual(all);
      expect(await written({ ...words, width: 32, height: 8 })).toEqual(all);
      // a plan of its own leaves this one's as they are
      await detector.detect(words, { inputSize: [32, 32] });
      expect(await written({ ...words, width: 32, height: 8 })).toEqual(['pixels']);
    } finally {
      write.mockRestore();
    }
  });

  test('other options and sizes in between leave the next call its own', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(model(), { device, inputSize, inFlight: 3, scoreThreshold: 0.1 });
    const [one, many] = pictures as [Pixels, Pixels];
    const turned = { ...many, width: many.height, height: many.width };
    const calls: Parameters<typeof detector.detect>[] = [
      [one],
      [many],
      [many, { maxFaces: 2 }],
      [many, { interpolation: 'nearest' }],
      [turned],
      [many, { compat: 'mmdet', inputSize }],
      [one, { inputSize: [192, 256] }],
    ];
    const expected: Face[][] = [];
    for (const call of calls) {
      // one that has run nothing else
      await using fresh = await createDetector(model(), { device, inputSize, scoreThreshold: 0.1 });
      expected.push(await fresh.detect(...call));
    }
    expect(new Set(expected.map((faces) => JSON.stringify(faces))).size).toBe(calls.length);
    const order = [0, 0, 1, 0, 2, 1, 3, 1, 4, 1, 5, 1, 1, 6, 0, 6, 2, 2, 0];
    const results = await Promise.all(order.map((i) => detector.detect(...calls[i]!)));
    expect(results).toEqual(order.map((i) => expected[i]));
  });

  // what is uploaded how is the CPU's matter
  test.skipIf(slowAdapter)(
    'through mapped buffers, as on hardware, the faces are the same',
    { timeout: 300_000 },
    async () => {
      let uploads = 0;
      const events: string[] = [];
      const platform = asHardware((descriptor) => {
        if (descriptor.label === 'upload') uploads++;
      });
      const options = { inputSize, inFlight: 2, scoreThreshold: 0.1, autotune: true };
      const tuningStore = await directly(model(), inputSize);
      await using detector = await Detector.create({ ...platform, tuningStore }, model(), options);
      detector.addEventListener('devicerestored', () => events.push('restored'));
      const { device } = detector;
      // textures come by another way
      const expected: Face[][] = [];
      const textures = pictures.map((picture) => makeTexture(device, picture));
      for (const texture of textures) expected.push(await detector.detect(texture));
      expect(expected.flat().length).toBeGreaterThan(6);
      expect(uploads).toBe(0);
      const order = [0, 1, 2, 3, 1, 0, 3, 2, 2, 1];
      const faces = await Promise.all(order.map((i) => detector.detect(pictures[i]!)));
      expect(faces).toEqual(order.map((i) => expected[i]));
      expect(await detector.detectBatch(pictures)).toEqual(expected);
      const mixed = [pictures[0]!, textures[1]!, pictures[2]!, pictures[3]!];
      expect(await detector.detectBatch(mixed)).toEqual(expected);
      const [face] = expected[0]!;
      expect(await detector.alignFaces(pictures[0]!, [face!])).toEqual(
        await detector.alignFaces(textures[0]!, [face!]),
      );
      // three at most, each made anew when it grows
      expect(uploads).toBeLessThanOrEqual(3 * 3);

      const submit = device.queue.submit.bind(device.queue);
      device.queue.submit = (commands) => {
        submit(commands);
        device.destroy();
      };
      const lost = order.map((i) => detector.detect(pictures[i]!).catch((error: unknown) => error));
      expect(await lost[0]).toMatchObject({ name: 'DeviceError', reason: 'lost' });
      await Promise.all(lost);
      expect(await detector.detect(pictures[1]!)).toEqual(expected[1]);
      expect(events).toEqual(['restored']);
    },
  );

  test('GPU times, where the device has them', async () => {
    await using detector = await createDetector(model(), { inputSize: [64, 64] });
    const seen: Timings[] = [];
    await detector.detect(blank(64, 64), { onTimings: (timings) => seen.push(timings) });
    if (!detector.device.features.has('timestamp-query')) expect(seen).toEqual([]);
    else {
      expect(seen).toHaveLength(1);
      expect(Object.keys(seen[0]!)).toEqual(['letterboxMs', 'networkMs', 'facesMs']);
      expect(seen[0]!.networkMs).toBeGreaterThan(0);
    }
  });

  test('a lost device is replaced at the next call', async () => {
    await using detector = await createDetector(model(), { inputSize, scoreThreshold: 0.1 });
    const events: string[] = [];
    detector.addEventListener('devicelost', ({ detail }) => events.push(`lost: ${detail.reason}`));
    detector.addEventListener('devicerestored', () => events.push('restored'));
    const expected = await detector.detect(pictures[0]!);
    const lost = detector.device;
    const submit = lost.queue.submit.bind(lost.queue);
    lost.queue.submit = (commands) => {
      submit(commands);
      lost.destroy();
    };
    await expect(detector.detect(pictures[0]!)).rejects.toMatchObject({ name: 'DeviceError', reason: 'lost' });
    await lost.lost;
    const again = await Promise.all([detector.detect(pictures[0]!), detector.detect(pictures[0]!)]);
    expect(again).toEqual([expected, expected]);
    expect(detector.device).not.toBe(lost);
    expect(events).toEqual(['lost: lost', 'restored']);
  });

  test.skipIf(slowAdapter)('many sizes are compiled and freed again', { timeout: 120_000 }, async () => {
    const { device } = await openGpu();
    let buffers = 0;
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      buffers++;
      const destroy = buffer.destroy.bind(buffer);
      let alive = true;
      buffer.destroy = () => {
        if (alive) buffers--;
        alive = false;
        destroy();
      };
      return buffer;
    };
    try {
      await using detector = await createDetector(model(), { device, inputSize: 'image' });
      const counts = [];
      for (let i = 1; i <= 20; i++) {
        await detector.detect(blank(32 * i, 32));
        counts.push(buffers);
      }
      // eight plans stay, each with buffers and resize tables of its own
      expect(counts.slice(8)).toEqual(new Array(12).fill(counts[7]));
      expect(await detector.detect(pictures[0]!, { inputSize })).toHaveLength(1);
    } finally {
      device.createBuffer = create;
    }
    expect(buffers).toBe(0);
  });
});
