import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createDetector, createNetwork, readImage } from '../../src/index.node.ts';
import { expectClose, expectSameFaces } from '../support/compare.ts';
import { imageFiles, withData } from '../support/data.ts';
import { openGpu, slowAdapter } from '../support/gpu.ts';
import { disposeOrt, runOrtInOrder } from '../support/ort.ts';
import { detectRetinaFaceReference } from '../support/reference-retinaface.ts';
import { createRng } from '../support/rng.ts';

const path = createRequire(import.meta.url).resolve('retinaface/mnet.25_v2.onnx');

describe('RetinaFace-MobileNet0.25', () => {
  afterAll(disposeOrt);

  test.each([
    ['fused', true],
    ['unfused', false],
  ])('outputs equal onnxruntime, %s', async (_, fuse) => {
    const { device } = await openGpu();
    const dims = [1, 3, 640, 640] as const;
    const network = await createNetwork(path, { inputShape: dims, device, fuse });
    const data = createRng(3).floats(3 * 640 * 640, 0, 255);
    const actual = await network.run(data);
    for (const [name, tensor] of await runOrtInOrder(path, { dims, data })) {
      expect(actual[name]?.dims).toEqual(tensor.dims);
      expectClose(actual[name]!.data, tensor.data, { abs: 1e-4, rel: 1e-4, reason: `${name}: sums in another order` });
    }
    await network.dispose();
  });

  test("takes its file's size and has keypoints", async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(path, { device });
    expect(detector.inputSize).toEqual([640, 640]);
    expect(detector.hasKeypoints).toBe(true);
  });

  withData('faces equal the reference decode over onnxruntime', () => {
    const pictures = slowAdapter ? imageFiles().filter((file) => /astronaut|t1/.test(file)) : imageFiles();
    test.each([0.5, 0.02])('every picture at threshold %s', { timeout: 300_000 }, async (scoreThreshold) => {
      const { device } = await openGpu();
      await using detector = await createDetector(path, { device, scoreThreshold });
      let found = 0;
      for (const file of pictures) {
        const pixels = await readImage(file);
        const expected = await detectRetinaFaceReference(path, pixels, { scoreThreshold });
        const actual = await detector.detect(pixels);
        try {
          expectSameFaces(actual, expected);
        } catch (error) {
          throw new Error(`${basename(file)}: ${(error as Error).message}`);
        }
        found += actual.length;
      }
      expect(found).toBeGreaterThan(5);
    });
  });
});
