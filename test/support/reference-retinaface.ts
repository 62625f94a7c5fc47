import type { Face } from '../../src/common/face.ts';
import type { Pixels } from '../../src/common/image.ts';
import { type OrtTensor, runOrtInOrder } from './ort.ts';
import { letterbox, loadOpenCv } from './reference-letterbox.ts';
import { type Candidate, nms } from './reference-scrfd.ts';

/** Sides of the two anchors on strides 32, 16 and 8, in the order of the file's outputs. */
const LEVELS = [
  { stride: 32, sides: [512, 256] },
  { stride: 16, sides: [128, 64] },
  { stride: 8, sides: [32, 16] },
] as const;
const KEYPOINT_STD = 0.2;

/**
 * RetinaFace-MobileNet0.25 v2 as insightface's `retinaface.py` decodes it (anchors of 16 pixels centred on 7.5, box
 * widths counted with +1, keypoint offsets in fifths of the anchor), on a letterboxed picture and without clipping.
 * In float64: the deltas pass through exp(), whose last bits no two libraries share.
 */
export async function detectRetinaFaceReference(
  modelPath: string,
  pixels: Pixels,
  { scoreThreshold, iouThreshold = 0.4 }: { readonly scoreThreshold: number; readonly iouThreshold?: number },
): Promise<Face[]> {
  await loadOpenCv();
  const { canvas, detScale } = letterbox(pixels, [640, 640]);
  const plane = 640 * 640;
  const data = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) data[c * plane + i] = canvas[3 * i + c]!;
  const outputs = await runOrtInOrder(modelPath, { dims: [1, 3, 640, 640], data });
  const tensors = outputs.map(([, tensor]) => tensor);
  const candidates = decodeRetinaFace(tensors, scoreThreshold, detScale);
  return nms(candidates, iouThreshold).map(({ anchor: _, ...face }) => face);
}

/** `outputs` in the file's order: probabilities, box deltas and keypoint offsets of each stride. */
export function decodeRetinaFace(outputs: readonly OrtTensor[], scoreThreshold: number, detScale: number): Candidate[] {
  const candidates: Candidate[] = [];
  let firstAnchor = 0;
  LEVELS.forEach(({ stride, sides }, level) => {
    const [classes, boxes, points] = outputs.slice(level * 3) as [OrtTensor, OrtTensor, OrtTensor];
    const [, , height, width] = classes.dims as [number, number, number, number];
    const cells = height * width;
    for (let cell = 0; cell < cells; cell++) {
      sides.forEach((side, a) => {
        const score = classes.data[(2 + a) * cells + cell]!;
        if (score < Math.fround(scoreThreshold)) return;
        const centre = [(cell % width) * stride + 7.5, Math.floor(cell / width) * stride + 7.5] as const;
        const delta = (k: number) => boxes.data[(4 * a + k) * cells + cell]!;
        const middle = centre.map((value, axis) => value + delta(axis) * side);
        const size = [Math.exp(delta(2)) * side, Math.exp(delta(3)) * side];
        const corner = (axis: 0 | 1, sign: number) => (middle[axis]! + (sign * (size[axis]! - 1)) / 2) / detScale;
        const point = (k: number, axis: 0 | 1) =>
          (centre[axis] + points.data[(10 * a + 2 * k + axis) * cells + cell]! * side * KEYPOINT_STD) / detScale;
        candidates.push({
          anchor: firstAnchor + cell * 2 + a,
          score,
          box: [corner(0, -1), corner(1, -1), corner(0, 1), corner(1, 1)],
          keypoints: [0, 1, 2, 3, 4].map((k) => [point(k, 0), point(k, 1)] as const),
        });
      });
    }
    firstAnchor += cells * 2;
  });
  return candidates;
}
