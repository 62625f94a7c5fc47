import type { Face } from '../common/face.ts';
import type { Keypoints } from './align-faces.ts';

/** @throws TypeError for a face that cannot be aligned */
export function readKeypoints({ keypoints }: Pick<Face, 'keypoints'>, i: number): Keypoints {
  if (keypoints?.length === 5) return keypoints;
  throw new TypeError(
    `faces[${i}]: expected five keypoints, got ${keypoints?.length || 'none'}: use a model that finds the eyes, the nose and the corners of the mouth`,
  );
}
