import type { AffineMatrix } from '../common/geometry.ts';

type Point = readonly [x: number, y: number];

/** Where ArcFace's training crops of 112×112 have the eyes, the nose and the corners of the mouth. */
const ARCFACE: readonly Point[] = [
  [38.2946, 51.6963],
  [73.5318, 51.5014],
  [56.0252, 71.7366],
  [41.5493, 92.3655],
  [70.7299, 92.2041],
];

/** Larger than the largest pictures. */
const MAX_SIZE = 2 ** 14;

/**
 * Where the five keypoints go in a crop of this size, as insightface's `face_align.estimate_norm` has it.
 * @param size a multiple of 112, or of 128, which leaves a margin at both sides; 16,384 at most
 * @throws RangeError for another size
 * @category What is done with faces
 */
export function arcfaceTemplate(size: number): Point[] {
  if (!(Number.isInteger(size) && size > 0 && size <= MAX_SIZE && (size % 112 === 0 || size % 128 === 0))) {
    throw new RangeError(`size: expected a multiple of 112 or 128 up to ${MAX_SIZE}, got ${size}`);
  }
  const [ratio, margin] = size % 112 === 0 ? [size / 112, 0] : [size / 128, (8 * size) / 128];
  return ARCFACE.map(([x, y]) => [x * ratio + margin, y * ratio]);
}

/**
 * The rotation, scale and shift that bring points nearest to others, by least squares: Umeyama 1991, in two dimensions,
 * where the singular values have a closed form. Never a reflection.
 * @returns `[a, b, c, d, e, f]` with x' = ax + by + c, y' = dx + ey + f
 * @throws RangeError for points that are all the same, or not finite
 * @category What is done with faces
 */
export function estimateSimilarity(from: readonly Point[], to: readonly Point[]): AffineMatrix {
  const mean = (points: readonly Point[], i: 0 | 1) => points.reduce((sum, point) => sum + point[i], 0) / points.length;
  const [fromX, fromY, toX, toY] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [spread, along, across] = [0, 0, 0];
  from.forEach(([x, y], i) => {
    const [dx, dy, ex, ey] = [x - fromX, y - fromY, to[i]![0] - toX, to[i]![1] - toY];
    spread += dx * dx + dy * dy;
    along += dx * ex + dy * ey;
    across += dx * ey - dy * ex;
  });
  if (!(spread > 0 && Number.isFinite(along + across))) {
    throw new RangeError(`keypoints: expected finite points at different places, got ${JSON.stringify(from)}`);
  }
  // cosine and sine, times the scale
  const [c, s] = [along / spread, across / spread];
  return [c, -s, toX - c * fromX + s * fromY, s, c, toY - s * fromX - c * fromY];
}

/**
 * Picture → crop, for one face. @throws RangeError for anything but five points, or points at one place
 * @category What is done with faces
 * @example
 * ```js
 * import { alignmentMatrix } from 'scrfd-webgpu';
 *
 * const [a, b, c, d, e, f] = alignmentMatrix(face.keypoints ?? [], 112); // x' = ax + by + c, y' = dx + ey + f
 * ```
 */
export function alignmentMatrix(keypoints: readonly Point[], size: number): AffineMatrix {
  const template = arcfaceTemplate(size);
  if (keypoints.length !== template.length) {
    throw new RangeError(`keypoints: expected ${template.length} points, got ${keypoints.length}`);
  }
  return estimateSimilarity(keypoints, template);
}
