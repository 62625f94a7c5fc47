/** Dimensions, outermost first. A scalar has none. */
export type Dims = readonly number[];

/** The most dimensions that a tensor may have: what the kernels for tensors of any shape take. */
export const MAX_RANK = 8;

/** Every ONNX floating-point type is widened or narrowed to float32. */
export interface FloatTensor {
  readonly type: 'float32';
  readonly dims: Dims;
  readonly data: Float32Array<ArrayBuffer>;
}

/** Every ONNX integer and boolean type is widened to int64. */
interface IntTensor {
  readonly type: 'int64';
  readonly dims: Dims;
  readonly data: BigInt64Array<ArrayBuffer>;
}

/** Row-major constant data on the CPU. */
export type Tensor = FloatTensor | IntTensor;

/** Number of elements; 1 for a scalar. */
export function sizeOf(dims: Dims): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

export function floatTensor(dims: Dims, data: ArrayLike<number>): FloatTensor {
  return { type: 'float32', dims, data: Float32Array.from(data) };
}

export function intTensor(dims: Dims, data: readonly number[]): IntTensor {
  return { type: 'int64', dims, data: BigInt64Array.from(data, BigInt) };
}

/** Elements as numbers; int64 values beyond ±2^53 (slice ends "to infinity") saturate. */
export function toNumbers(tensor: Tensor): number[] {
  if (tensor.type === 'float32') return Array.from(tensor.data);
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Array.from(tensor.data, (value) => Number(value > limit ? limit : value < -limit ? -limit : value));
}

/** Dimensions as people write them: `1×3×640×640`. */
export function formatDims(dims: Dims): string {
  return dims.length === 0 ? 'scalar' : dims.join('×');
}

export function sameDims(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** `[2, 3, 4]` → `[12, 4, 1]`. */
export function rowMajorStrides(dims: Dims): number[] {
  const strides = new Array<number>(dims.length);
  let stride = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= dims[axis]!;
  }
  return strides;
}
