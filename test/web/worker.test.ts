import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Face, Progress } from '../../src/index.node.ts';
import { serveFiles } from '../support/browser.ts';
import { inChromium } from './pages.ts';

inChromium('createWorkerDetector', (pages) => {
  test('finds what a detector of the page finds, in every kind of picture', { timeout: 120_000 }, async () => {
    const page = await pages().open();
    const found = await page.evaluate(async () => {
      const options = { inputSize: [160, 160], scoreThreshold: 0.3 } as const;
      const progress: Progress[] = [];
      const detector = await lib.createWorkerDetector('data/models/scrfd_500m_kps.onnx', {
        ...options,
        onProgress: (now) => progress.push(now),
      });
      const url = 'data/images/astronaut_nasa.png';
      const blob = await (await fetch(url)).blob();
      const image = new Image();
      image.src = url;
      await image.decode();
      const bitmap = await createImageBitmap(blob);
      const { width, height } = bitmap;
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width, height });
      const context = canvas.getContext('2d', { willReadFrequently: true })!;
      context.drawImage(bitmap, 0, 0);
      const imageData = context.getImageData(0, 0, width, height);
      const pixels = { data: imageData.data, width, height, channels: 4 as const };
      const frame = new VideoFrame(canvas, { timestamp: 0 });
      const sources = { url, URL: new URL(url, document.baseURI), blob, image, bitmap, canvas, imageData, pixels };
      const result: Record<string, Face[]> = {};
      for (const [name, source] of Object.entries(sources)) result[name] = await detector.detect(source);
      await detector.detect(frame);
      frame.clone().close();
      // the caller's own stay the caller's
      [result['pixels again'], result['bitmap again']] = (await detector.detectBatch([pixels, bitmap])) as [[], []];
      const timings: number[] = [];
      await detector.detect(canvas, { onTimings: (times) => timings.push(...Object.values(times)) });
      const crops = await detector.alignFaces(canvas, result.url!);
      const streamed = [];
      for await (const { frame, faces } of detector.stream([url, canvas, bitmap])) {
        streamed.push(frame instanceof ImageBitmap, faces.length);
      }
      const { inputSize, hasKeypoints } = detector;
      const identity = await detector.identify();
      await detector.dispose();
      await detector.dispose();
      const local = await lib.createDetector(model, options);
      const expected = await local.detect(url);
      const crop = JSON.stringify([...(await local.alignFaces(url, expected))[0]!.data]);
      await local.dispose();
      return {
        ...{ result, expected, streamed, inputSize, hasKeypoints, name: identity?.name, timings: timings.length },
        ...{ progress, sameCrop: crop === JSON.stringify([...crops[0]!.data]) },
      };
    });
    expect(found.expected).toHaveLength(1);
    for (const [name, faces] of Object.entries(found.result)) expect(faces, name).toEqual(found.expected);
    expect(found).toMatchObject({
      ...{ inputSize: [160, 160], hasKeypoints: true, name: 'scrfd_500m_kps', sameCrop: true },
      streamed: [false, 1, false, 1, true, 1],
    });
    const downloads = found.progress.flatMap((now) => (now.phase === 'download' ? [now.received] : []));
    expect(downloads.at(-1)).toBeGreaterThan(1e6);
    const last = found.progress.at(-1)!;
    expect(last).toEqual({ phase: 'compile', compiled: expect.any(Number), total: expect.any(Number) });
    expect(last.phase === 'compile' && last.compiled === last.total).toBe(true);
    expect([0, 3]).toContain(found.timings);
  });

  test('takes memory of every kind', async () => {
    const page = await pages().open();
    const found = await page.evaluate(async () => {
      const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
      const picture = new Uint8Array(await (await fetch('data/images/astronaut_nasa.png')).arrayBuffer());
      const bitmap = await createImageBitmap(new Blob([picture]));
      const { width, height } = bitmap;
      const context = new OffscreenCanvas(width, height).getContext('2d')!;
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      const fill = (buffer: ArrayBufferLike, bytes: ArrayLike<number>) => {
        const view = new Uint8Array(buffer, 1, bytes.length);
        view.set(bytes);
        return view;
      };
      // a page that is not isolated has shared memory by wasm alone
      const pages = { initial: 100, maximum: 200 };
      const shared = (bytes: ArrayLike<number>) =>
        fill(new WebAssembly.Memory({ ...pages, shared: true }).buffer, bytes);
      const resizable = (bytes: ArrayLike<number>) => {
        const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer;
        return fill(new Resizable(bytes.length + 1, { maxByteLength: bytes.length + 9 }), bytes);
      };
      const options = { inputSize: [160, 160] } as const;
      const pixels = { width, height, channels: 4 } as const;
      const results = [];
      for (const place of [(bytes: ArrayLike<number>) => Uint8Array.from(bytes), shared, resizable]) {
        for (const create of [lib.createDetector, lib.createWorkerDetector]) {
          const detector = await create(place(file), options);
          const faces = await detector.detect({ ...pixels, data: place(data) });
          results.push(faces, await detector.detect(place(picture)));
          results.push((await detector.detectBatch([{ ...pixels, data: place(data) }, bitmap]))[0]);
          await detector.alignFaces({ ...pixels, data: place(data) }, faces);
          await detector.dispose();
        }
      }
      return results;
    });
    expect(found[0]).toHaveLength(1);
    for (const faces of found) expect(faces).toEqual(found[0]);
  });

  test('errors keep their types, and leave the worker working', async () => {
    const page = await pages().open();
    const found = await page.evaluate(async () => {
      const shown = (error: unknown) => {
        if (!(error instanceof Error)) return `reason ${String(error)}`;
        const type = (['ModelError', 'ImageError', 'DeviceError', 'DisposedError'] as const).find(
          (name) => error instanceof lib[name],
        );
        return `${type ?? error.constructor.name} ${error.name}: ${error.message}`;
      };
      const failure = (promise: Promise<unknown>) => promise.then(() => 'no error', shown);
      const detector = await lib.createWorkerDetector(model, { inputSize: [64, 64] });
      const picture = new ImageData(8, 8);
      const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
      const texture = device.createTexture({ size: [4, 4], format: 'rgba8unorm', usage: 1 });
      const stop = new AbortController();
      const aborted = failure(detector.detect(picture, { signal: stop.signal }));
      stop.abort('enough');
      const errors = [
        await failure(lib.createWorkerDetector('/index.html')),
        await failure(lib.createWorkerDetector(model, { device } as never)),
        await failure(lib.createWorkerDetector(model, { signal: AbortSignal.abort('at once') })),
        await failure(
          lib.createWorkerDetector(model, { createWorker: () => new Worker('/nowhere.js', { type: 'module' }) }),
        ),
        await failure(detector.detect(new Blob(['text']))),
        await failure(detector.detect(picture, { scoreThreshold: 7 })),
        await failure(detector.detect(texture)),
        await failure(detector.detect((() => {}) as never)),
        await aborted,
      ];
      const faces = await detector.detect(picture);
      const last = detector.detect(picture);
      await detector.dispose();
      device.destroy();
      return [...errors, await failure(detector.detect(picture)), faces.length, (await last).length];
    });
    const patterns = [
      ...[/^ModelError ModelError: .*web page/, /^TypeError TypeError: device: expected none/, /^reason at once/],
      ...[/^Error Error: the detector's worker failed/, /^ImageError ImageError: picture/],
      ...[/^RangeError RangeError: scoreThreshold/, /^TypeError .*GPUTexture/, /^TypeError .*cannot be sent/],
      ...[/^reason enough/, /^DisposedError/],
    ];
    patterns.forEach((pattern, i) => {
      expect(found[i]).toMatch(pattern);
    });
    expect(found.slice(patterns.length)).toEqual([0, 0]);
  });

  test('a library of another origin says what to do, and with that it works', async () => {
    const cdn = await serveFiles(
      { '/': fileURLToPath(new URL('../../dist/browser', import.meta.url)) },
      { headers: { 'access-control-allow-origin': '*' } },
    );
    onTestFinished(() => cdn.close());
    const page = await pages().open();
    const content = `globalThis.cdn = await import('${cdn.origin}/index.js')`;
    await page.addScriptTag({ type: 'module', content });
    await page.waitForFunction(() => 'cdn' in globalThis);
    const found = await page.evaluate(async (origin) => {
      const { createWorkerDetector } = (globalThis as unknown as { cdn: typeof lib }).cdn;
      const refused = await createWorkerDetector(model).catch((error: Error) => error.message);
      // as docs/worker.md has it
      const createWorker = () => {
        const start = new Blob([`import '${origin}/worker.js';`], { type: 'text/javascript' });
        return new Worker(URL.createObjectURL(start), { type: 'module' });
      };
      const detector = await createWorkerDetector(model, { createWorker, inputSize: [160, 160] });
      const progress: number[] = [];
      const faces = await detector.detect('data/images/astronaut_nasa.png', {
        inputSize: [128, 128],
        onProgress: (now) => now.phase === 'compile' && progress.push(now.compiled),
      });
      await detector.dispose();
      return { refused, faces: faces.length, progress: progress.length };
    }, cdn.origin);
    expect(found).toMatchObject({
      refused: expect.stringMatching(/worker cannot start .*cannot be accessed.*: pass createWorker/),
      faces: 1,
    });
    expect(found.progress).toBeGreaterThan(5);
  });
});
