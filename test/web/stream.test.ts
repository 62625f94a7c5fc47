import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasChromium } from '../support/browser.ts';
import { dataDir } from '../support/data.ts';
import { inChromium } from './pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'scrfd-camera-'));
const CAMERA = join(folder, 'camera.mjpeg');
const VIDEO = join(folder, 'video.webm');

/** A person before a camera: as Chromium's fake device plays it, and as a video file. */
beforeAll(async () => {
  if (!hasChromium || !dataDir) return;
  const run = promisify(execFile);
  const source = ['-y', '-loglevel', 'error', '-i', join(dataDir, 'video/intel_asl_again.mkv'), '-frames:v', '40'];
  await run('ffmpeg', [...source, '-q:v', '3', CAMERA]);
  await run('ffmpeg', [...source, '-an', '-c:v', 'libvpx', '-b:v', '2M', VIDEO]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** Counts frames, bitmaps and GPU buffers that are alive in the page, as `alive()`. */
function countObjects(): void {
  const alive = new Map([
    ['frames', 0],
    ['buffers', 0],
    ['textures', 0],
  ]);
  const add = (name: string, by: number) => alive.set(name, (alive.get(name) ?? 0) + by);
  const watch = (Class: { prototype: object }, name: string, method: string) => {
    const prototype = Class.prototype as Record<string, (...args: unknown[]) => unknown>;
    const original = prototype[method]!;
    const closed = new WeakSet<object>();
    prototype[method] = function (this: object, ...args) {
      if (!closed.has(this)) add(name, -1);
      closed.add(this);
      return original.apply(this, args);
    };
  };
  watch(VideoFrame, 'frames', 'close');
  watch(GPUBuffer, 'buffers', 'destroy');
  watch(GPUTexture, 'textures', 'destroy');
  globalThis.VideoFrame = new Proxy(VideoFrame, {
    construct(Target, args) {
      add('frames', 1);
      return Reflect.construct(Target, args) as object;
    },
  });
  const read = ReadableStreamDefaultReader.prototype.read;
  ReadableStreamDefaultReader.prototype.read = async function (this: ReadableStreamDefaultReader) {
    const result = await read.call(this);
    if (Object.prototype.toString.call(result.value) === '[object VideoFrame]') add('frames', 1);
    return result;
  } as typeof read;
  for (const [method, name] of [
    ['createBuffer', 'buffers'],
    ['createTexture', 'textures'],
  ] as const) {
    const prototype = GPUDevice.prototype as unknown as Record<string, (descriptor: unknown) => unknown>;
    const original = prototype[method]!;
    prototype[method] = function (descriptor) {
      add(name, 1);
      return original.call(this, descriptor);
    };
  }
  (globalThis as unknown as { alive: () => object }).alive = () => Object.fromEntries(alive);
}

inChromium(
  'streams',
  (pages) => {
    test('a camera: video element, media stream and track; nothing stays behind', { timeout: 180_000 }, async () => {
      const page = await pages().open({ permissions: ['camera'], before: countObjects });
      const found = await page.evaluate(async () => {
        const { alive } = globalThis as unknown as { alive: () => object };
        const detector = await lib.createDetector(model, { inputSize: [160, 160] });
        const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
        const [track] = camera.getVideoTracks();
        const video = document.createElement('video');
        Object.assign(video, { srcObject: camera, muted: true });
        await video.play();
        // pixels and the read-back are made at the first frame
        await detector.detect(video);
        const before = alive();
        const result: Record<string, object> = {};
        for (const [name, source] of Object.entries({ video, camera, track: track! })) {
          const sizes = new Set<string>();
          const scores: number[] = [];
          const stamps: number[] = [];
          for await (const { frame, faces } of detector.stream(source, { inFlight: 2 })) {
            sizes.add(`${(frame as VideoFrame).displayWidth}×${(frame as VideoFrame).displayHeight}`);
            stamps.push((frame as VideoFrame).timestamp);
            scores.push(faces[0]?.score ?? 0);
            if (scores.length === 6) break;
          }
          await new Promise((resolve) => setTimeout(resolve, 100));
          const rising = stamps.every((stamp, i) => i === 0 || stamp > stamps[i - 1]!);
          result[name] = {
            sizes: [...sizes],
            faces: scores.filter((score) => score > 0.5).length,
            rising,
            alive: alive(),
          };
        }
        const state = track!.readyState;
        const stop = new AbortController();
        const endless = (async () => {
          for await (const _ of detector.stream(camera, { signal: stop.signal }));
        })();
        setTimeout(() => stop.abort('enough'), 300);
        const reason = await endless.catch(String);
        // ending the track ends the stream, without an error
        const ending = (async () => {
          let count = 0;
          for await (const _ of detector.stream(video)) if (++count === 2) track!.stop();
          return count >= 2;
        })();
        const ended = await ending;
        const left = alive();
        await detector.dispose();
        return { before, result, state, reason, ended, left, disposed: alive() };
      });
      for (const [name, one] of Object.entries(found.result)) {
        expect(one, name).toEqual({ sizes: ['640×480'], faces: 6, rising: true, alive: found.before });
      }
      expect(found).toMatchObject({ state: 'live', reason: 'enough', ended: true, left: found.before });
      expect(found.disposed).toEqual({ frames: 0, buffers: 0, textures: 0 });
    });

    test('a slow reader gets the newest frame, not a queue of old ones', { timeout: 60_000 }, async () => {
      const page = await pages().open({ permissions: ['camera'] });
      const gaps = await page.evaluate(async () => {
        const detector = await lib.createDetector(model, { inputSize: [64, 64] });
        const camera = await navigator.mediaDevices.getUserMedia({ video: true });
        const stamps: number[] = [];
        for await (const { frame } of detector.stream(camera, { inFlight: 1 })) {
          stamps.push((frame as VideoFrame).timestamp / 1000);
          if (stamps.length === 5) break;
          await new Promise((resolve) => setTimeout(resolve, 400));
        }
        for (const track of camera.getTracks()) track.stop();
        await detector.dispose();
        return stamps.slice(1).map((stamp, i) => stamp - stamps[i]!);
      });
      // frames come every 33 to 50 ms; one that waits is at most one old
      for (const gap of gaps.slice(1)) expect(gap).toBeGreaterThan(250);
    });

    test('a video file: faces near Node’s path, and the end of the file ends the loop', {
      timeout: 120_000,
    }, async () => {
      const page = await pages().open();
      const found = await page.evaluate(async () => {
        const detector = await lib.createDetector(model, { inputSize: [160, 160] });
        const video = document.createElement('video');
        Object.assign(video, { src: '/camera/video.webm', muted: true });
        await new Promise((resolve) => video.addEventListener('loadeddata', resolve));
        // three ways to the same frame: colours differ by how each converts them
        const canvas = document.createElement('canvas');
        Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
        const context = canvas.getContext('2d', { willReadFrequently: true })!;
        context.drawImage(video, 0, 0);
        const ways = [
          await detector.detect(video),
          await detector.detect(new VideoFrame(video)),
          await detector.detect(await createImageBitmap(video)),
          await detector.detect(context.getImageData(0, 0, canvas.width, canvas.height)),
        ];
        void video.play();
        let count = 0;
        for await (const { faces } of detector.stream(video)) count += Math.min(faces.length, 1);
        await detector.dispose();
        return { ways: ways.map((faces) => ({ ...faces[0]!, count: faces.length })), count };
      });
      const [first, ...others] = found.ways;
      expect(first!.count).toBe(1);
      for (const other of others) {
        expect(other.count).toBe(1);
        expect(Math.abs(other.score - first!.score)).toBeLessThan(0.02);
        other.box.forEach((value, i) => {
          expect(Math.abs(value - first!.box[i]!)).toBeLessThan(2);
        });
      }
      expect(found.count).toBeGreaterThan(1);
    });

    test('video frames are imported, with the faces and crops of copies', { timeout: 120_000 }, async () => {
      const page = await pages().open();
      const found = await page.evaluate(async () => {
        const video = document.createElement('video');
        Object.assign(video, { src: '/camera/video.webm', muted: true });
        await new Promise((resolve) => video.addEventListener('loadeddata', resolve));
        const { videoWidth: width, videoHeight: height } = video;
        const frame = new VideoFrame(video);
        const canvas = new OffscreenCanvas(width, height);
        const context = canvas.getContext('2d', { willReadFrequently: true })!;
        context.drawImage(video, 0, 0);
        const pixels = context.getImageData(0, 0, width, height);
        // alpha from 0 on, which copies divide by
        const faded = new Uint8ClampedArray(pixels.data).map((value, i) => (i % 4 === 3 ? (i >> 2) % 256 : value));
        context.putImageData(new ImageData(faded, width, height), 0, 0);
        const rect = { x: 32, y: 6, width: 518, height: 402 };
        const shape = { displayWidth: 601, displayHeight: 471 };
        const turned = { rotation: 90, flip: true } as VideoFrameInit;
        const plain = { format: 'RGBX' as const, codedWidth: width, codedHeight: height, timestamp: 0 };
        const sources = {
          ...{ video, frame, cropped: new VideoFrame(frame, { visibleRect: rect }) },
          ...{ stretched: new VideoFrame(frame, shape), turned: new VideoFrame(frame, turned) },
          ...{ bytes: new VideoFrame(pixels.data, plain), faded: new VideoFrame(canvas, { timestamp: 0 }) },
        };
        const prototype = GPUDevice.prototype;
        const importTexture = prototype.importExternalTexture;
        const imported: string[] = [];
        const importing = (refused?: typeof VideoFrame) =>
          function (this: GPUDevice, descriptor: GPUExternalTextureDescriptor) {
            const { source } = descriptor;
            if (refused && source instanceof refused) throw new TypeError('not a HTMLVideoElement');
            imported.push(Object.prototype.toString.call(source));
            return importTexture.call(this, descriptor);
          };
        const few = { data: new Uint8Array(45), width: 5, height: 3, channels: 3 as const };
        const points = [290, 180, 350, 180, 320, 215, 295, 245, 345, 245];
        const keypoints = [0, 2, 4, 6, 8].map((i) => [points[i]!, points[i + 1]!] as const);
        const run = async (names: readonly string[]) => {
          imported.length = 0;
          const detector = await lib.createDetector(model, { inputSize: [160, 160] });
          const results: Record<string, { faces: readonly object[]; crop?: readonly number[] }> = {};
          for (const [name, source] of Object.entries(sources)) {
            if (!names.includes(name)) continue;
            const faces = await detector.detect(source);
            const [crop] = await detector.alignFaces(source, [{ keypoints }]);
            results[name] = { faces, crop: [...crop!.data] };
          }
          // behind pixels that end within a row of a texture
          const batch = [few, sources.cropped, canvas, video];
          if (names.length > 1) results.batch = { faces: await detector.detectBatch(batch) };
          await detector.dispose();
          const count = (name: string) => imported.filter((one) => one.includes(name)).length;
          return { results, frames: count('VideoFrame'), videos: count('HTMLVideoElement') };
        };
        prototype.importExternalTexture = importing();
        const all = await run(Object.keys(sources));
        prototype.importExternalTexture = importing(VideoFrame);
        const copiedFrames = await run(Object.keys(sources));
        Reflect.deleteProperty(prototype, 'importExternalTexture');
        const copiedVideo = await run(['video']);
        const worker = await lib.createWorkerDetector(model, { inputSize: [160, 160] });
        const inWorker = await worker.detect(video);
        await worker.dispose();
        for (const source of Object.values(sources)) if (source instanceof VideoFrame) source.close();
        return { all, copiedFrames, copiedVideo, inWorker };
      });
      const { all, copiedFrames, copiedVideo, inWorker } = found;
      // once to find out whether the browser imports the class, then by each call
      expect(all).toMatchObject({ frames: 1 + 6 * 2 + 1, videos: 1 + 2 + 1 });
      expect(copiedFrames).toMatchObject({ frames: 0, videos: 1 + 2 + 1 });
      expect(copiedVideo).toMatchObject({ frames: 0, videos: 0 });
      const { video, frame, cropped, batch } = all.results;
      expect(frame!.faces).toHaveLength(1);
      expect([batch!.faces[1], batch!.faces[3]]).toEqual([cropped!.faces, video!.faces]);
      expect(all.results).toEqual(copiedFrames.results);
      expect(video).toEqual(copiedVideo.results.video);
      expect(inWorker).toEqual(video!.faces);
      // each shows something else, but that a video shows its frame
      expect(new Set(Object.values(all.results).map((one) => JSON.stringify(one))).size).toBeGreaterThanOrEqual(6);
    });

    test('what is no live source is refused', async () => {
      const page = await pages().open();
      const errors = await page.evaluate(async () => {
        const detector = await lib.createDetector(model, { inputSize: [64, 64] });
        const silent = new MediaStream();
        const errors = [];
        for (const [source, options] of [[42], [document.body], [silent], [[], { inFlight: 0 }]] as const) {
          const first = detector.stream(source as never, options ?? {}).next();
          errors.push(await first.then(String, (error: Error) => `${error.name}: ${error.message}`));
        }
        await detector.dispose();
        return errors;
      });
      expect(errors[0]).toMatch(/TypeError: stream: expected a video element, .* got Number/);
      expect(errors[1]).toMatch(/TypeError: stream: .* got HTMLBodyElement/);
      expect(errors[2]).toMatch(/ImageError: stream: expected a media stream with a video track/);
      expect(errors[3]).toMatch(/RangeError: inFlight: expected an integer of at least 1, got 0/);
    });
  },
  {
    args: [
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${CAMERA}`,
    ],
    mounts: { '/camera/': folder },
  },
);
