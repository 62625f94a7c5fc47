/** How a detector's heads are arranged. */
export interface HeadLayout {
  readonly family: 'scrfd' | 'retinaface';
  /** In the order of the anchors. */
  readonly strides: readonly number[];
  /** Of a cell. */
  readonly anchors: number;
  /** Points of a face, 0 for boxes alone. */
  readonly keypoints: number;
}
