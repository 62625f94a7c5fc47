import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { blocksOf, packedBytes } from '../nc4hw4.ts';

/** ONNX Resize's coordinate_transformation_mode, as far as mapped. */
export type CoordinateMode = 'asymmetric' | 'half_pixel' | 'pytorch_half_pixel' | 'align_corners';

/** ONNX Resize's nearest_mode; `simple` is what opset 10 did: floor, or ceil when shrinking. */
export type NearestMode = 'floor' | 'ceil' | 'round_prefer_floor' | 'round_prefer_ceil' | 'simple';

export interface ResizeMode {
  readonly mode: 'nearest' | 'linear';
  readonly coordinates: CoordinateMode;
  readonly nearest: NearestMode;
}

export interface ResizeSpec {
  readonly batch: number;
  readonly channels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

const WORKGROUP = 64;

/** How far from .5 a coordinate still counts as a tie: float32 rounding must not decide it. onnxruntime's value. */
const TIE = 1e-6;

/** A position in the input, in float32 as in onnxruntime. */
function sourceCoordinate(out: number, scale: number, inSize: number, outSize: number, mode: CoordinateMode): number {
  const { fround } = Math;
  const halfPixel = () => fround(fround((out + 0.5) / fround(scale)) - 0.5);
  switch (mode) {
    case 'asymmetric':
      return fround(out / fround(scale));
    case 'half_pixel':
      return halfPixel();
    case 'pytorch_half_pixel':
      return outSize > 1 ? halfPixel() : 0;
    case 'align_corners':
      return outSize > 1 ? fround((out * (inSize - 1)) / (outSize - 1)) : 0;
    default:
      return mode satisfies never;
  }
}

function roundNearest(x: number, scale: number, mode: NearestMode): number {
  const low = Math.floor(x);
  const tie = Math.abs(x - low - 0.5) <= TIE;
  switch (mode) {
    case 'floor':
      return low;
    case 'ceil':
      return Math.ceil(x);
    case 'round_prefer_floor':
      return tie ? low : Math.round(x);
    case 'round_prefer_ceil':
      return tie ? low + 1 : Math.round(x);
    case 'simple':
      return scale < 1 ? Math.ceil(x) : low;
    default:
      return mode satisfies never;
  }
}

/** One output position of one axis: two inputs and the weight of the second. */
export interface ResizeEntry {
  readonly first: number;
  readonly second: number;
  readonly weight: number;
}

/** The table's entries of one axis. `scale` is the file's: it need not be outSize / inSize exactly. */
export function resizeAxis(inSize: number, outSize: number, scale: number, mode: ResizeMode): ResizeEntry[] {
  const clamp = (x: number) => Math.min(Math.max(x, 0), inSize - 1);
  return Array.from({ length: outSize }, (_, out) => {
    const x = sourceCoordinate(out, scale, inSize, outSize, mode.coordinates);
    if (mode.mode === 'nearest') {
      const nearest = clamp(roundNearest(x, scale, mode.nearest));
      return { first: nearest, second: nearest, weight: 0 };
    }
    const low = Math.floor(clamp(x));
    return { first: low, second: clamp(low + 1), weight: clamp(x) - low };
  });
}

/** The kernel's constant: the rows' entries, then the columns', made on the CPU so that every adapter picks the same pixels. */
export function packResizeTable(
  rows: readonly ResizeEntry[],
  columns: readonly ResizeEntry[],
): Float32Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer((rows.length + columns.length) * 16));
  [...rows, ...columns].forEach((entry, i) => {
    view.setInt32(i * 16, entry.first, true);
    view.setInt32(i * 16 + 4, entry.second, true);
    view.setFloat32(i * 16 + 8, entry.weight, true);
  });
  return new Float32Array(view.buffer);
}

/** Nearest or linear resizing of NC4HW4 by a table. Bindings: input, table, output. */
export function resize(spec: ResizeSpec): Dispatch {
  const planes = spec.batch * blocksOf(spec.channels);
  return dispatch('resize', {
    overrides: { WORKGROUP },
    params: packParams([spec.inHeight, spec.inWidth, spec.outHeight, spec.outWidth]),
    bindingBytes: [
      packedBytes(spec.batch, spec.channels, spec.inHeight, spec.inWidth),
      (spec.outHeight + spec.outWidth) * 16,
      packedBytes(spec.batch, spec.channels, spec.outHeight, spec.outWidth),
    ],
    workgroups: [Math.ceil((spec.outHeight * spec.outWidth) / WORKGROUP), planes, 1],
  });
}
