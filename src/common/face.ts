/** One detected face, in pixels of the original image. */
export interface Face {
  /** `[x1, y1, x2, y2]`; not clipped to the image. */
  readonly box: readonly [number, number, number, number];
  /** Confidence in (0, 1). */
  readonly score: number;
  /**
   * Left eye, right eye, nose, left mouth corner, right mouth corner, as seen in the picture; other points, as many as the model has, from
   * models trained for others; only from models that have any.
   */
  readonly keypoints?: readonly (readonly [number, number])[];
}
