import onnxProto from 'onnx-proto';
import { beforeAll, expect, it } from 'vitest';
import type { Heads } from '../../src/architectures/layers.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { createDetector, type Pixels, readImage } from '../../src/index.node.ts';
import { expectSameFaces } from '../support/compare.ts';
import { imageNamed, withData } from '../support/data.ts';
import { openGpu, slowAdapter } from '../support/gpu.ts';
import { detectReference } from '../support/reference-scrfd.ts';
import { SMALL_ARCHITECTURE } from '../support/small-model.ts';

const { onnx } = onnxProto;

const CASES: readonly (readonly [title: string, heads: Heads])[] = [
  ['the four corners of a document', { points: 4, anchors: 2, strides: [8, 16, 32] }],
  ['98 landmarks, one anchor, strides 16 and 32', { points: 98, anchors: 1, strides: [16, 32] }],
  ['one point, three anchors, five strides', { points: 1, anchors: 3, strides: [8, 16, 32, 64, 128] }],
];

/** The same file, its outputs from the last to the first. */
function reversed(bytes: Uint8Array): Uint8Array {
  const model = onnx.ModelProto.decode(bytes);
  model.graph!.output!.reverse();
  return onnx.ModelProto.encode(model).finish();
}

withData('detectors of other heads', () => {
  const inputSize = [256, 256] as const;
  let pictures: Pixels[];
  beforeAll(async () => {
    pictures = await Promise.all(
      ['astronaut_nasa.png', 'insightface_t1.jpg'].map((name) => readImage(imageNamed(name))),
    );
  });

  // the slower adapter has the kernels' own tests. Whatever overlaps stays: random scores tie near 1, and rounding would choose between boxes
  const options = { inputSize, scoreThreshold: 0.99, iouThreshold: 1 } as const;

  it.skipIf(slowAdapter).each(CASES)('find what the reference does: %s', async (_, layout) => {
    const { device } = await openGpu();
    const bytes = synthesizeModel(SMALL_ARCHITECTURE, { seed: 1, heads: layout });
    const { strides, anchors, points } = layout;
    await using detector = await createDetector(bytes, { ...options, device });
    expect([detector.keypointCount, detector.hasKeypoints]).toEqual([points, true]);
    expect(await detector.identify()).toMatchObject({ strides, anchors, keypoints: points, generation: 'synthesized' });
    const batch = await detector.detectBatch(pictures);
    for (const [n, picture] of pictures.entries()) {
      const expected = await detectReference(bytes, picture, { ...options, layout });
      expect(expected.length).toBeGreaterThan(3);
      expect(new Set(batch[n]!.map((face) => face.keypoints?.length))).toEqual(new Set([points]));
      expectSameFaces(batch[n]!, expected);
    }
  });

  it.skipIf(slowAdapter)('find the same whatever the order of the outputs', async () => {
    const { device } = await openGpu();
    const bytes = synthesizeModel(SMALL_ARCHITECTURE, { seed: 1, heads: { points: 4 } });
    await using detector = await createDetector(bytes, { ...options, device });
    await using shuffled = await createDetector(reversed(bytes), { ...options, device });
    expect(await shuffled.detect(pictures[0]!)).toEqual(await detector.detect(pictures[0]!));
  });

  it.skipIf(slowAdapter)('say that crops need five points, before anything is opened', async () => {
    const { device } = await openGpu();
    const bytes = synthesizeModel(SMALL_ARCHITECTURE, { heads: { points: 4 } });
    await using detector = await createDetector(bytes, { device, inputSize: [32, 32] });
    const face = {
      keypoints: [
        [1, 1],
        [2, 1],
        [2, 2],
        [1, 2],
      ],
    } as const;
    await expect(detector.alignFaces('absent.jpg', [face])).rejects.toThrow(
      new TypeError(
        'faces[0]: expected five keypoints, got 4: use a model that finds the eyes, the nose and the corners of the mouth',
      ),
    );
  });
});
