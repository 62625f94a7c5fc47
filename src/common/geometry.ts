/** Width, height, in pixels. */
export type Size = readonly [width: number, height: number];

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** `[a, b, c, d, e, f]`: x' = ax + by + c, y' = dx + ey + f. */
export type AffineMatrix = readonly [number, number, number, number, number, number];
