import { expect, test } from 'vitest';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';
import { inChromium } from './pages.ts';

const bytes = smallModel();
const pixels = [...createRng(3).bytes(64 * 64 * 3)];

inChromium(
  'kernels tuned in a page',
  (pages) => {
    test('are found once, kept between visits, and find the same faces', { timeout: 300_000 }, async () => {
      const page = await pages().open();
      const visit = () =>
        page.evaluate(async (data) => {
          const picture = { data: Uint8Array.from(data), width: 64, height: 64, channels: 3 as const };
          const run = async (options: object) => {
            const start = performance.now();
            const detector = await lib.createDetector('/small/model.onnx', { inputSize: [64, 64], ...options });
            const ms = performance.now() - start;
            const scores = (await detector.detect(picture)).map(({ score }) => score);
            await detector.dispose();
            return { scores, ms };
          };
          const plain = await run({});
          const tuned = await run({ autotune: true });
          const store = await caches.open('scrfd-tuning');
          const [request] = await store.keys();
          const kept = await (await store.match(request!))!.json();
          return { plain, tuned, address: request!.url, kept: kept as Record<string, string> };
        }, pixels);
      const first = await visit();
      expect(first.plain.scores.length).toBeGreaterThan(3);
      expect(first.address).toMatch(/\/tuning\/convolutions-\d+-f32-/);
      expect(Object.keys(first.kept).length).toBeGreaterThan(10);
      first.tuned.scores.forEach((score, i) => {
        expect(score).toBeCloseTo(first.plain.scores[i]!, 4);
      });
      await page.reload();
      await page.waitForFunction(() => 'lib' in globalThis);
      const second = await visit();
      expect(second.kept).toEqual(first.kept);
      // the same choices give the same bits
      expect(second.tuned.scores).toEqual(first.tuned.scores);
    });

    test('half precision is refused by name where the adapter has none', async () => {
      const page = await pages().open();
      const found = await page.evaluate(async () => {
        const adapter = await navigator.gpu.requestAdapter();
        const message = await lib.createDetector('/small/model.onnx', { inputSize: [64, 64], precision: 'f16' }).then(
          (detector) => detector.dispose().then(() => 'made'),
          (error: Error) => `${error.name}: ${error.message}`,
        );
        return { supported: adapter!.features.has('shader-f16'), message };
      });
      expect(found.message).toBe(
        found.supported
          ? 'made'
          : "DeviceError: precision 'f16' needs the feature shader-f16, which this GPU device does not have",
      );
    });
  },
  { mounts: { '/small/': (path) => (path === 'model.onnx' ? bytes : undefined) } },
);
