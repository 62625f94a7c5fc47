import { roundHalfEven } from '../detection/letterbox.ts';
import { type Dispatch, packParams } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';

/** Side of a workgroup; in two dimensions, because large crops have more pixels than one dimension has workgroups. */
const TILE = 8;
/** OpenCV's fixed point for source positions: 10 bits. */
const ONE = 1024;
/** Half of 1/32 pixel, to round positions to that. */
const ROUND = 16;

/** `[a, b, c, d, e, f]`: x' = ax + by + c, y' = dx + ey + f. */
export type AffineMatrix = readonly [number, number, number, number, number, number];

export interface WarpAffineSpec {
  /** Size of the image, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Bytes a pixel. */
  readonly channels: 3 | 4;
  /** Bytes from one row of the image to the next. */
  readonly rowBytes: number;
  /** Whether a pixel's bytes are blue, green, red. */
  readonly blueFirst: boolean;
  /** The rows that are bound, where that is a strip: crops get the pixels that lie in it. All of them by default. */
  readonly firstRow?: number;
  readonly rows?: number;
  /** How many crops there are. */
  readonly count: number;
  /** Side of a crop, in pixels. */
  readonly size: number;
}

/** @throws RangeError for a matrix that maps everything to a line */
export function invertAffine([a, b, c, d, e, f]: AffineMatrix): AffineMatrix {
  const determinant = a * e - b * d;
  if (determinant === 0) throw new RangeError('matrix: expected one that can be inverted, got a singular one');
  // in OpenCV's order, to the last bit
  const scale = 1 / determinant;
  const [ia, ib, id, ie] = [e * scale, b * -scale, d * -scale, a * scale];
  return [ia, ib, -ia * c - ib * f, id, ie, -id * c - ie * f];
}

/** The nearest int32, half to even. */
function toInt(x: number): number {
  return Math.min(Math.max(roundHalfEven(x), -0x80000000), 0x7fffffff);
}

/**
 * The crops' source positions as OpenCV's warpAffine computes them: a share a column and a share a row, in 1/1024 pixel.
 * They need float64, which WGSL lacks. Source: `imgwarp.cpp`, `cv::warpAffine` and `WarpAffineInvoker`.
 * @param matrices image → crop, one a crop
 */
export function warpSteps(matrices: readonly AffineMatrix[], size: number): Int32Array<ArrayBuffer> {
  const steps = new Int32Array(matrices.length * size * 4);
  matrices.forEach((matrix, n) => {
    const [a, b, c, d, e, f] = invertAffine(matrix);
    for (let i = 0; i < size; i++) {
      steps.set([toInt(a * i * ONE), toInt(d * i * ONE)], (n * 2 * size + i) * 2);
      steps.set([toInt((b * i + c) * ONE) + ROUND, toInt((e * i + f) * ONE) + ROUND], ((n * 2 + 1) * size + i) * 2);
    }
  });
  return steps;
}

/** Of every launch. */
export const WARP_PARAMS_BYTES = 32;

/** Bytes of the crops: four a pixel. */
export function cropBytes({ count, size }: Pick<WarpAffineSpec, 'count' | 'size'>): number {
  return count * size * size * 4;
}

/** Square crops of one image, each by a map of its own. Bindings: pixels, steps, crops (RGBA bytes). */
export function warpAffine(spec: WarpAffineSpec): Dispatch {
  const { width, height, channels, rowBytes, blueFirst, count, size, firstRow = 0, rows = height } = spec;
  const tiles = Math.ceil(size / TILE);
  return dispatch('warp-affine', {
    overrides: { TILE },
    params: packParams([width, height, channels, rowBytes, blueFirst ? 1 : 0, size, firstRow, rows]),
    bindingBytes: [4, count * size * 16, cropBytes(spec)],
    workgroups: [tiles, tiles, count],
  });
}
