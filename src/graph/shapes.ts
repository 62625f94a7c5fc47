import { ModelError } from '../common/errors.ts';
import { type Dims, formatDims, MAX_RANK, sizeOf } from '../common/tensor.ts';
import { floatBytes, type LayoutSpec, packedBytes } from '../kernels/nc4hw4.ts';

/** Longest side of an input or of what is resized, in pixels: kernels have a table with an entry for every row and every column. */
export const MAX_SIDE = 65_536;

/** Height, width. */
export type Pair = readonly [number, number];
/** Top, left, bottom, right. */
export type Pads = readonly [number, number, number, number];
/** Dims of a rank-4 value. */
export type Dims4 = readonly [number, number, number, number];

export function asDims4(who: string, dims: Dims): Dims4 {
  const [n, c, h, w, ...more] = dims;
  if (n === undefined || c === undefined || h === undefined || w === undefined || more.length > 0) {
    throw new ModelError(`${who}: expected 4 dimensions (NCHW), got ${formatDims(dims)}`);
  }
  return [n, c, h, w];
}

/** Rank 4 by leading ones, as numpy aligns a smaller operand. */
export function alignedDims4(dims: Dims): Dims4 {
  return asDims4('broadcast operand', [1, 1, 1, 1, ...dims].slice(-Math.max(4, dims.length)));
}

export function layoutSpec([batch, channels, height, width]: Dims4): LayoutSpec {
  return { batch, channels, height, width };
}

/** More float32 elements than any buffer of WebGPU has room for. */
const MAX_ELEMENTS = 2 ** 30;

/** @returns `dims` of a value that a kernel can index */
export function checkValue(who: string, dims: Dims): Dims {
  if (dims.length > MAX_RANK)
    throw new ModelError(`${who}: expected at most ${MAX_RANK} dimensions, got ${dims.length}`);
  if (sizeOf(dims) > MAX_ELEMENTS) {
    throw new ModelError(`${who}: expected a value of at most ${MAX_ELEMENTS} elements, got ${formatDims(dims)}`);
  }
  return dims;
}

/** Bytes of a value stored as floats, NC4HW4 when `packed`. */
export function storageBytes(value: string, dims: Dims, layout: 'packed' | 'plain'): number {
  return layout === 'packed' ? packedBytes(...asDims4(`value "${value}"`, dims)) : floatBytes(sizeOf(dims));
}

/** An axis attribute or input, counted from the end when negative. */
export function normalizeAxis(who: string, axis: number, rank: number): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(normalized) || normalized < 0 || normalized >= rank) {
    throw new ModelError(`${who}: axis ${axis} is outside ${rank} dimensions`);
  }
  return normalized;
}

/** Output positions of a window that slides over a padded axis. */
export function windowCount(size: number, kernel: number, stride: number, dilation: number, pads: number): number {
  return Math.floor((size + pads - ((kernel - 1) * dilation + 1)) / stride) + 1;
}

/** numpy broadcasting. */
export function broadcastDims(who: string, a: Dims, b: Dims): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const da = a[axis - rank + a.length] ?? 1;
    const db = b[axis - rank + b.length] ?? 1;
    if (da !== db && da !== 1 && db !== 1) {
      throw new ModelError(`${who}: cannot broadcast ${formatDims(a)} with ${formatDims(b)}`);
    }
    return da === 1 ? db : da;
  });
}

/** @returns `dims`, all of which are positive integers */
export function checkExtents(who: string, dims: Dims, input: Dims): Dims {
  if (dims.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new ModelError(`${who}: input ${formatDims(input)} is too small, the output would be ${formatDims(dims)}`);
  }
  return dims;
}

/** @returns `x`, which has as many channels as each of its constants has elements */
export function checkChannels(who: string, x: Dims, constants: readonly Dims[]): Dims {
  const other = constants.find((dims) => sizeOf(dims) !== x[1]);
  if (other) throw new ModelError(`${who}: expected ${x[1]} channels of scale and shift, got ${sizeOf(other)}`);
  return x;
}

/** @returns `x`, which has the axis */
export function checkAxis(who: string, axis: number, x: Dims): Dims {
  if (axis < 0 || axis >= x.length) {
    throw new ModelError(`${who}: axis ${axis} is outside the input's ${x.length} dimensions`);
  }
  return x;
}
