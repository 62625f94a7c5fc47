import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listImages, openDataset } from '../../../src/cli/eval/dataset.ts';
import { dataDir, modelNamed, withData } from '../../support/data.ts';
import { slowAdapter } from '../../support/gpu.ts';
import { compareWithOnnxRuntime } from './versus-onnxruntime.ts';

withData('average precision is that of onnxruntime through the same protocol', () => {
  test.each([
    ['640×640', [640, 640], slowAdapter ? 2 : 12],
    ['original sizes', 'original', slowAdapter ? 1 : 3],
  ] as const)('%s', async (_, size, count) => {
    const dataset = await openDataset(join(dataDir!, 'widerface'));
    const all = await listImages(dataset);
    const files = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
    const model = modelNamed('scrfd_500m_kps.onnx');
    const { precisions, faces, unmatched, ...differences } = await compareWithOnnxRuntime(model, dataset, files, {
      size,
    });
    expect(precisions.map(({ setting }) => setting)).toEqual(['easy', 'medium', 'hard']);
    for (const { setting, ours, expected } of precisions) {
      if (expected === null) expect(ours).toBeNull();
      // 0.02 points
      else expect(Math.abs(ours! - expected), setting).toBeLessThanOrEqual(2e-4);
    }
    expect(faces).toBeGreaterThan(100 * count);
    // a score or an overlap that lies at its threshold may fall to either side
    expect(unmatched).toBeLessThanOrEqual(faces / 1000);
    expect(differences.maxBoxDifference).toBeLessThan(0.05);
    expect(differences.maxScoreDifference).toBeLessThan(1e-4);
  });
});
