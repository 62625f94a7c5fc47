import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createDetector,
  createWorkerDetector,
  type Detector,
  type Face,
  type Pixels,
  type Progress,
  readImage,
} from '../../src/index.node.ts';
import { expectSameFaces } from '../support/compare.ts';
import { imageFiles, imageNamed, modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { inChromium } from './pages.ts';

const SIZE = [160, 160] as const;

/** Node's faces of one picture; the same file and size as in the pages. */
async function nodeFaces(image: string | Pixels, options: object = {}): Promise<Face[]> {
  const { device } = await openGpu();
  await using detector = await createDetector(modelNamed('scrfd_500m_kps.onnx'), { device, inputSize: SIZE });
  return detector.detect(image, options);
}

inChromium('parts', (pages) => {
  test('that do not come are asked for again', async () => {
    const page = await pages().open();
    const create = () =>
      page.evaluate(async (inputSize) => {
        try {
          await (await lib.createDetector(model, { inputSize })).dispose();
          return 'created';
        } catch (error) {
          return String(error);
        }
      }, SIZE);
    const parts = /\/lib\/(hardware|software)-/;
    await page.route(parts, (route) => route.abort());
    expect(await create()).toMatch(/^Error: a part of scrfd-webgpu could not be loaded: .+/);
    await page.unroute(parts);
    expect(await create()).toBe('created');
  });
});

inChromium('sources', (pages) => {
  test('every kind of picture gives the same faces, and Node’s', { timeout: 120_000 }, async () => {
    const page = await pages().open();
    const found = await page.evaluate(async (inputSize) => {
      const detector = await lib.createDetector(model, { inputSize });
      const url = '/data/images/astronaut_nasa.png';
      const blob = await (await fetch(url)).blob();
      const image = new Image();
      image.src = url;
      const bitmap = await createImageBitmap(blob);
      const { width, height } = bitmap;
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width, height });
      const context = canvas.getContext('2d', { willReadFrequently: true })!;
      context.drawImage(bitmap, 0, 0);
      const offscreen = new OffscreenCanvas(width, height);
      offscreen.getContext('2d')!.drawImage(bitmap, 0, 0);
      const imageData = context.getImageData(0, 0, width, height);
      const rgb = imageData.data.filter((_, i) => i % 4 !== 3);
      const { device } = detector;
      const texture = (format: GPUTextureFormat) => {
        const usage = GPUTextureUsage.COPY_SRC | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT;
        const made = device.createTexture({ size: [width, height], format, usage });
        device.queue.copyExternalImageToTexture({ source: bitmap }, { texture: made }, [width, height]);
        return made;
      };
      const frame = new VideoFrame(canvas, { timestamp: 0 });
      const sources = {
        ...{ url, URL: new URL(url, location.href), blob, file: new File([blob], 'astronaut.png') },
        ...{ bytes: new Uint8Array(await blob.arrayBuffer()), buffer: await blob.arrayBuffer() },
        ...{ image, bitmap, canvas, offscreen, imageData, frame },
        rgb: { data: rgb, width, height, channels: 3 as const },
        rgba: { data: imageData.data, width, height, channels: 4 as const },
        ...{ 'texture rgba8': texture('rgba8unorm'), 'texture bgra8': texture('bgra8unorm') },
      };
      const result: Record<string, Face[]> = {};
      for (const [name, source] of Object.entries(sources)) result[name] = await detector.detect(source);
      result.batch = (await detector.detectBatch([canvas, bitmap, imageData])).flat().slice(1, 2);
      // the caller's own stay open
      result['bitmap again'] = await detector.detect(bitmap);
      result['frame again'] = await detector.detect(frame);
      frame.close();
      await detector.dispose();
      return result;
    }, SIZE);
    const expected = await nodeFaces(imageNamed('astronaut_nasa.png'));
    expect(expected).toHaveLength(1);
    for (const [name, faces] of Object.entries(found)) {
      // a VideoFrame may pass through YUV
      const tolerance = name.startsWith('frame') ? { score: 0.01, pixels: 0.5 } : {};
      expect(() => expectSameFaces(faces, expected, tolerance), name).not.toThrow();
    }
  });

  test('canvases and frames larger than a binding and wider than a texture', { timeout: 120_000 }, async () => {
    const page = await pages().open();
    const found = await page.evaluate(async (inputSize) => {
      // with the limits that every adapter has: bindings of 128 MiB, textures of 8192
      const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
      const detector = await lib.createDetector(model, { device, inputSize });
      const bitmap = await createImageBitmap(await (await fetch('/data/images/astronaut_nasa.png')).blob());
      const sizes = [
        [7680, 4400],
        [9000, 600],
      ] as const;
      const results = [];
      for (const [width, height] of sizes) {
        const canvas = new OffscreenCanvas(width, height);
        const context = canvas.getContext('2d', { willReadFrequently: true })!;
        const side = height * 0.9;
        context.drawImage(bitmap, width - side, 20, side, side);
        const pixels = context.getImageData(0, 0, width, height);
        const wide = width > 8192 ? 1280 : 640;
        const options = { inputSize: [wide, Math.ceil((wide * height) / width / 32) * 32] as const };
        const faces = await detector.detect(canvas, options);
        const crops = await detector.alignFaces(canvas, faces);
        const coded = { codedWidth: width, codedHeight: height, format: 'RGBX', timestamp: 0 } as const;
        const frame = new VideoFrame(pixels.data, coded);
        const ofFrame = await detector
          .detect(frame, options)
          .catch((error: Error) => `${error.name}: ${error.message}`);
        frame.close();
        results.push({
          ...{ faces, ofFrame, expected: await detector.detect(pixels, options) },
          ...{ crops, expectedCrops: await detector.alignFaces(pixels, faces) },
        });
      }
      await detector.dispose();
      return results;
    }, SIZE);
    expect(found.map(({ ofFrame }) => ofFrame)).toEqual([
      found[0]!.expected,
      // browsers make one texture of a frame
      'ImageError: image: expected a video frame of at most 8192 pixels a side, got one of 9000×600',
    ]);
    for (const { faces, expected, crops, expectedCrops } of found) {
      expect(faces).toHaveLength(1);
      expect(faces).toEqual(expected);
      expect(crops).toEqual(expectedCrops);
    }
  });

  test('what is no picture, or has no pixels, is refused by type', async () => {
    const page = await pages().open();
    const errors = await page.evaluate(async () => {
      const detector = await lib.createDetector(model, { inputSize: [64, 64] });
      const tainted = new Image();
      const empty = document.createElement('canvas');
      empty.width = 0;
      const sources = [
        ...[42, null, {}, document.createElement('video'), tainted, empty],
        ...['/nowhere.png', new Blob([]), new Blob(['text']), new Uint8Array(3), document.body],
      ];
      const errors: string[] = [];
      for (const source of sources) {
        const error = await detector.detect(source as never).catch((error: Error) => error);
        errors.push(error instanceof Error ? `${error.name}: ${error.message}` : 'no error');
      }
      const faces = await detector.detect(new ImageData(8, 8));
      await detector.dispose();
      return [...errors, `then ${faces.length} faces`];
    });
    const patterns = [
      ...[/TypeError: image: expected pixels, .* got Number/, /TypeError: .* got Null/, /TypeError: .* got Object/],
      ...[/ImageError: .*still loading/, /ImageError/, /ImageError: .*0×150/],
      ...[
        /ImageError: \/nowhere\.png: expected HTTP 200, got 404/,
        /ImageError: picture: expected a picture, got 0 bytes/,
      ],
      ...[/ImageError: picture: the browser cannot decode it/, /ImageError/, /TypeError: .* got HTMLBodyElement/],
      /then 0 faces/,
    ];
    expect(errors).toHaveLength(patterns.length);
    patterns.forEach((pattern, i) => {
      expect(errors[i]).toMatch(pattern);
    });
  });
});

withData('photographs', () => {
  const pictures = new Map<string, Pixels>();
  let node: Detector;
  const inputSize = [320, 320] as const;
  beforeAll(async () => {
    for (const path of imageFiles()) pictures.set(basename(path), await readImage(path));
    node = await createDetector(modelNamed('scrfd_500m_kps.onnx'), { inputSize });
  });
  afterAll(() => node?.dispose());

  inChromium(
    'faces in Chromium',
    (pages) => {
      test('Node’s pixels give Node’s faces, on every photograph', { timeout: 300_000 }, async () => {
        const page = await pages().open();
        const list = [...pictures].map(([name, { width, height }]) => ({ name, width, height }));
        const found = await page.evaluate(
          async ({ list, inputSize }) => {
            const detector = await lib.createDetector(model, { inputSize });
            const result: Face[][][] = [];
            for (const { name, width, height } of list) {
              const data = new Uint8Array(await (await fetch(`/pixels/${name}`)).arrayBuffer());
              const image = { data, width, height, channels: 3 as const };
              const [few, many] = [0.5, 0.02].map((scoreThreshold) => detector.detect(image, { scoreThreshold }));
              result.push([await few!, await many!]);
            }
            await detector.dispose();
            return result;
          },
          { list, inputSize },
        );
        let count = 0;
        for (const [i, { name }] of list.entries()) {
          for (const [k, scoreThreshold] of [0.5, 0.02].entries()) {
            const expected = await node.detect(pictures.get(name)!, { scoreThreshold });
            expect(() => expectSameFaces(found[i]![k]!, expected), `${name} at ${scoreThreshold}`).not.toThrow();
            count += expected.length;
          }
        }
        expect(count).toBeGreaterThan(300);
      });

      test('pictures that Chromium decodes give them too, but for JPEG’s grey levels', {
        timeout: 120_000,
      }, async () => {
        const page = await pages().open();
        // CMYK is converted by profile in Node and by formula in Chromium
        const names = [...pictures.keys()].filter((name) => name !== 'cmyk_park.jpg');
        const found = await page.evaluate(
          async ({ names, inputSize }) => {
            const detector = await lib.createDetector(model, { inputSize });
            const result: Face[][] = [];
            for (const name of names) result.push(await detector.detect(`/data/images/${name}`));
            await detector.dispose();
            return result;
          },
          { names, inputSize },
        );
        for (const [i, name] of names.entries()) {
          // decoders round colour conversion and upsampling of chroma differently
          const lossless = /\.(png|gif)$/.test(name);
          const tolerance = lossless ? {} : { score: 0.02, pixels: 1 };
          const expected = await node.detect(pictures.get(name)!);
          const close = () => {
            // a face at the threshold may be found by one decoder only
            const sure = (faces: readonly Face[]) => (lossless ? faces : faces.filter(({ score }) => score > 0.53));
            expectSameFaces(sure(found[i]!), sure(expected), tolerance);
          };
          expect(close, name).not.toThrow();
        }
      });
    },
    { mounts: { '/pixels/': (name) => pictures.get(name)?.data as Uint8Array | undefined } },
  );
});

inChromium('models and devices', (pages) => {
  test('progress, thresholds, two detectors at once, identify, crops', { timeout: 120_000 }, async () => {
    const page = await pages().open();
    const result = await page.evaluate(async () => {
      const progress: number[] = [];
      const compiled: number[] = [];
      const onProgress = (now: Progress) => {
        if (now.phase === 'download') progress.push(now.received / (now.total ?? Number.NaN));
        else compiled.push(now.compiled / now.total);
      };
      const [a, b] = await Promise.all([
        lib.createDetector(model, { inputSize: [160, 160], onProgress }),
        lib.createDetector('/data/models/det_500m.onnx', { inputSize: [96, 96] }),
      ]);
      const url = '/data/images/astronaut_nasa.png';
      const [first, second] = await Promise.all([a.detect(url), b.detect(url)]);
      const counts = [];
      for (const scoreThreshold of [0.01, 0.5, 0.99]) counts.push((await a.detect(url, { scoreThreshold })).length);
      const timings: number[] = [];
      await a.detect(url, { onTimings: (times) => timings.push(...Object.values(times)) });
      const crops = await a.alignFaces(url, first);
      const crop = await a.detect(crops[0]!, { inputSize: [128, 128] });
      const identity = await a.identify();
      const timed = a.device.features.has('timestamp-query');
      await Promise.all([a.dispose(), b.dispose()]);
      return {
        progress,
        compiled,
        counts,
        both: [first.length, second.length],
        timings,
        timed,
        crop,
        name: identity?.name,
      };
    });
    expect(result.progress.at(-1)).toBe(1);
    expect(result.compiled.at(-1)).toBe(1);
    expect(result.progress).toEqual([...result.progress].sort((a, b) => a - b));
    expect(result.counts[0]).toBeGreaterThan(1);
    expect(result.counts.slice(1)).toEqual([1, 0]);
    expect(result.both).toEqual([1, 1]);
    expect(result.timings).toHaveLength(result.timed ? 3 : 0);
    expect(result.crop).toHaveLength(1);
    expect(result.name).toBe('scrfd_500m_kps');
  });

  test('bad models and aborted calls reject with their errors', async () => {
    const page = await pages().open();
    const errors = await page.evaluate(async () => {
      const attempt = (input: Parameters<typeof lib.createDetector>[0], options = {}) =>
        lib.createDetector(input, options).then(
          () => 'no error',
          (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
        );
      const bytes = new Uint8Array(await (await fetch(model)).arrayBuffer());
      const during = new AbortController();
      const detector = await lib.createDetector(bytes, { inputSize: [64, 64] });
      const stop = new AbortController();
      const detecting = detector.detect('/data/images/astronaut_nasa.png', { signal: stop.signal });
      stop.abort('while detecting');
      const detected = await detecting.catch((reason) => String(reason));
      const after = await detector.detect(new ImageData(8, 8));
      await detector.dispose();
      const disposed = await detector.detect(new ImageData(8, 8)).catch((error) => error.name);
      const modelError = await lib.createDetector(new Blob(['<html>'])).catch((error) => error);
      return [
        await attempt('/index.html'),
        await attempt('/nowhere.onnx'),
        await attempt(bytes.subarray(0, 1e6)),
        await attempt(new Blob([])),
        await attempt(42 as never),
        await attempt(model, { signal: AbortSignal.abort('at once') }),
        await attempt(model, { signal: during.signal, onProgress: () => during.abort('while loading') }),
        ...[detected, after.length, disposed, modelError instanceof lib.ModelError],
      ];
    });
    const patterns = [
      ...[
        /ModelError: .*web page/,
        /ModelError: .*nowhere\.onnx: .*404/,
        /ModelError/,
        /ModelError/,
        /TypeError: model: expected/,
      ],
      ...[/^at once$/, /^while loading$/, /^while detecting$/],
    ];
    patterns.forEach((pattern, i) => {
      expect(errors[i]).toMatch(pattern);
    });
    expect(errors.slice(patterns.length)).toEqual([0, 'DisposedError', true]);
  });

  test('a lost device: typed error, event, and another device at the next call', async () => {
    const page = await pages().open();
    const result = await page.evaluate(async () => {
      const detector = await lib.createDetector(model, { inputSize: [160, 160] });
      const events: string[] = [];
      detector.addEventListener('devicelost', ({ detail }) => events.push(`${detail.name} ${detail.reason}`));
      detector.addEventListener('devicerestored', () => events.push('restored'));
      const url = '/data/images/astronaut_nasa.png';
      const before = await detector.detect(url);
      const { device } = detector;
      const submit = device.queue.submit.bind(device.queue);
      device.queue.submit = (commands) => {
        submit(commands);
        device.destroy();
      };
      const under = await detector.detect(url).catch((error) => `${error.name} ${error.reason}`);
      await device.lost;
      const after = await detector.detect(url);
      await detector.dispose();
      return { under, events, same: JSON.stringify(before) === JSON.stringify(after) };
    });
    expect(result).toEqual({
      under: 'DeviceError lost',
      events: ['DeviceError lost', 'restored'],
      same: true,
    });
  });

  test('without WebGPU the error names the browsers that have it', async () => {
    const page = await pages().open({
      before: () => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }),
    });
    const error = await page.evaluate(() =>
      lib.createDetector(model).catch((error) => `${error.name} ${error.reason}: ${error.message}`),
    );
    expect(error).toMatch(/^DeviceError no-adapter: .*This browser has no WebGPU\. It is in Chrome and Edge 113/);
    expect(await page.evaluate(() => lib.isSupported())).toBe(false);
    expect(await (await pages().open()).evaluate(() => lib.isSupported())).toBe(true);
  });
});

test('a detector in a worker is refused by Node', async () => {
  await expect(createWorkerDetector('m.onnx')).rejects.toThrow('which has no web workers: use createDetector');
});
