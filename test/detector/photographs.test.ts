import { basename } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createDetector, readImage } from '../../src/index.node.ts';
import { expectSameFaces } from '../support/compare.ts';
import { imageFiles, modelFiles, modelNamed, withData } from '../support/data.ts';
import { openGpu, slowAdapter } from '../support/gpu.ts';
import { disposeOrt } from '../support/ort.ts';
import { loadOpenCv } from '../support/reference-letterbox.ts';
import { detectReference } from '../support/reference-scrfd.ts';

withData('faces equal the reference pipeline (OpenCV letterbox, onnxruntime, numpy decoding)', () => {
  afterAll(disposeOrt);

  const paths = slowAdapter ? [modelNamed('scrfd_500m_kps.onnx')] : modelFiles();
  for (const path of paths) {
    test(basename(path), { timeout: 300_000 }, async () => {
      await loadOpenCv();
      const { device } = await openGpu();
      await using detector = await createDetector(path, { device, ...(slowAdapter && { inputSize: [320, 320] }) });
      const inputSize = [...detector.inputSize] as [number, number];
      let found = 0;
      for (const file of imageFiles()) {
        const pixels = await readImage(file);
        for (const scoreThreshold of [0.5, 0.02]) {
          const options = { scoreThreshold, iouThreshold: 0.4 };
          const expected = await detectReference(path, pixels, { inputSize, ...options });
          const actual = await detector.detect(pixels, options);
          try {
            expectSameFaces(actual, expected);
          } catch (error) {
            throw new Error(`${basename(file)} at threshold ${scoreThreshold}: ${(error as Error).message}`);
          }
          found += actual.length;
        }
      }
      expect(found).toBeGreaterThan(100);
    });
  }
});
