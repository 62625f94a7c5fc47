/** ONNX operators in float64 on row-major arrays, written to be checked by eye. */

export interface Ref {
  readonly dims: number[];
  readonly data: Float64Array;
}

/** What the references accept: a `Ref`, or float32 data with dims. */
export interface RefInput {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

type Pair = readonly [number, number];
/** Top, left, bottom, right. */
type Pads = readonly [number, number, number, number];

export function toRef({ dims, data }: RefInput): Ref {
  if (data.length !== size(dims))
    throw new RangeError(`${dims.join('×')} needs ${size(dims)} values, got ${data.length}`);
  return { dims: [...dims], data: Float64Array.from(data) };
}

export interface ConvOptions {
  readonly strides?: Pair;
  readonly pads?: Pads;
  readonly dilations?: Pair;
  readonly group?: number;
}

/** `x` is n×c×h×w, `weight` oc×(c/group)×kh×kw, `bias` oc numbers. */
export function conv2d(
  x: RefInput,
  weight: RefInput,
  bias: RefInput | null,
  { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 }: ConvOptions = {},
): Ref {
  const [n, c, h, w] = dims4(x);
  const [oc, groupChannels, kh, kw] = dims4(weight);
  if (c !== groupChannels * group || oc % group !== 0) {
    throw new RangeError(`${c} channels and weight ${weight.dims.join('×')} do not fit ${group} groups`);
  }
  const oh = Math.floor((h + pads[0] + pads[2] - dilations[0] * (kh - 1) - 1) / strides[0]) + 1;
  const ow = Math.floor((w + pads[1] + pads[3] - dilations[1] * (kw - 1) - 1) / strides[1]) + 1;
  return build([n, oc, oh, ow], (i) => {
    const [b, o, oy, ox] = i as [number, number, number, number];
    const firstChannel = Math.floor(o / (oc / group)) * groupChannels;
    let sum = bias ? bias.data[o]! : 0;
    for (let k = 0; k < groupChannels; k++) {
      for (let ky = 0; ky < kh; ky++) {
        const y = oy * strides[0] - pads[0] + ky * dilations[0];
        if (y < 0 || y >= h) continue;
        for (let kx = 0; kx < kw; kx++) {
          const px = ox * strides[1] - pads[1] + kx * dilations[1];
          if (px < 0 || px >= w) continue;
          sum +=
            x.data[((b * c + firstChannel + k) * h + y) * w + px]! *
            weight.data[((o * groupChannels + k) * kh + ky) * kw + kx]!;
        }
      }
    }
    return sum;
  });
}

export interface PoolOptions {
  readonly kernel: Pair;
  readonly strides?: Pair;
  readonly pads?: Pads;
  readonly ceilMode?: boolean;
}

export function maxPool(x: RefInput, options: PoolOptions): Ref {
  return pool(x, options, (values) => Math.max(...values));
}

export interface AveragePoolOptions extends PoolOptions {
  readonly countIncludePad?: boolean;
}

export function averagePool(x: RefInput, { countIncludePad = false, ...options }: AveragePoolOptions): Ref {
  return pool(x, options, (values, paddedArea) => {
    const sum = values.reduce((total, value) => total + value, 0);
    return sum / (countIncludePad ? paddedArea : values.length);
  });
}

/** `reduce` gets the values of the window inside the picture and the area of the window inside picture and padding. */
function pool(
  x: RefInput,
  { kernel, strides = [1, 1], pads = [0, 0, 0, 0], ceilMode = false }: PoolOptions,
  reduce: (values: number[], paddedArea: number) => number,
): Ref {
  const [n, c, h, w] = dims4(x);
  const extent = (length: number, axis: 0 | 1) => {
    const steps = (length + pads[axis] + pads[axis + 2]! - kernel[axis]) / strides[axis];
    if (!ceilMode) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    // A window that would start in the bottom or right padding is dropped.
    return (count - 1) * strides[axis] >= length + pads[axis] ? count - 1 : count;
  };
  return build([n, c, extent(h, 0), extent(w, 1)], (i) => {
    const [b, channel, oy, ox] = i as [number, number, number, number];
    const values: number[] = [];
    let paddedArea = 0;
    for (let y = oy * strides[0] - pads[0], endY = y + kernel[0]; y < Math.min(endY, h + pads[2]); y++) {
      for (let px = ox * strides[1] - pads[1], endX = px + kernel[1]; px < Math.min(endX, w + pads[3]); px++) {
        paddedArea++;
        if (y >= 0 && y < h && px >= 0 && px < w) values.push(x.data[((b * c + channel) * h + y) * w + px]!);
      }
    }
    return reduce(values, paddedArea);
  });
}

export function globalAveragePool(x: RefInput): Ref {
  return reducePlanes(x, (plane) => mean(plane));
}

export function globalMaxPool(x: RefInput): Ref {
  return reducePlanes(x, (plane) => plane.reduce((max, value) => Math.max(max, value)));
}

function reducePlanes(x: RefInput, reduce: (plane: Float64Array) => number): Ref {
  const [n, c, h, w] = dims4(x);
  const { data } = toRef(x);
  return build([n, c, 1, 1], ([b, k]) => {
    const start = (b! * c + k!) * h * w;
    return reduce(data.subarray(start, start + h * w));
  });
}

export type CoordinateMode = 'asymmetric' | 'half_pixel' | 'pytorch_half_pixel' | 'align_corners';
export type NearestMode = 'floor' | 'ceil' | 'round_prefer_floor' | 'round_prefer_ceil';

export interface ResizeOptions {
  readonly mode?: 'nearest' | 'linear';
  readonly coordinates?: CoordinateMode;
  readonly nearest?: NearestMode;
  /** One per axis, as in the node; by default output size / input size. */
  readonly scales?: readonly number[];
}

/** Resizes every axis to `sizes`. */
export function resize(
  x: RefInput,
  sizes: readonly number[],
  { mode = 'nearest', coordinates = 'half_pixel', nearest = 'round_prefer_floor', scales }: ResizeOptions = {},
): Ref {
  let result = toRef(x);
  for (const [axis, to] of sizes.entries()) {
    const from = x.dims[axis]!;
    const scale = Math.fround(scales?.[axis] ?? to / from);
    result = resizeAxis(result, axis, to, (i) => {
      const at = sourceCoordinate(i, from, to, scale, coordinates);
      if (mode === 'nearest') return [[clamp(roundNearest(at, nearest), 0, from - 1), 1]];
      const inside = clamp(at, 0, from - 1);
      const low = Math.floor(inside);
      return [
        [low, 1 - (inside - low)],
        [Math.min(low + 1, from - 1), inside - low],
      ];
    });
  }
  return result;
}

/** Sizes that `scales` lead to. */
export function scaledSizes(dims: readonly number[], scales: readonly number[]): number[] {
  return dims.map((dim, axis) => Math.floor(Math.fround(dim * Math.fround(scales[axis]!))));
}

/** In float32 like onnxruntime, because `nearest` jumps where the rounding falls. */
function sourceCoordinate(i: number, from: number, to: number, scale: number, mode: CoordinateMode): number {
  const f = Math.fround;
  switch (mode) {
    case 'asymmetric':
      return f(i / scale);
    case 'half_pixel':
      return f(f((i + 0.5) / scale) - 0.5);
    case 'pytorch_half_pixel':
      return to > 1 ? f(f((i + 0.5) / scale) - 0.5) : 0;
    case 'align_corners':
      return to > 1 ? f(f(i * (from - 1)) / (to - 1)) : 0;
  }
}

function roundNearest(at: number, mode: NearestMode): number {
  const low = Math.floor(at);
  // onnxruntime 1.30's tolerance (its issue 28291): float32 rounding must not hide that a coordinate is a tie.
  const isTie = Math.abs(at - low - 0.5) <= 1e-6;
  switch (mode) {
    case 'floor':
      return low;
    case 'ceil':
      return Math.ceil(at);
    case 'round_prefer_floor':
      return isTie ? low : Math.round(at);
    case 'round_prefer_ceil':
      return isTie ? low + 1 : Math.round(at);
  }
}

/** `sources(i)` are the (index, weight) pairs that output `i` of the axis is the sum of. */
function resizeAxis(x: Ref, axis: number, to: number, sources: (i: number) => (readonly [number, number])[]): Ref {
  const dims = replaced(x.dims, axis, to);
  const table = Array.from({ length: to }, (_, i) => sources(i));
  return build(dims, (i) =>
    table[i[axis]!]!.reduce(
      (sum, [source, weight]) => sum + weight * x.data[offset(replaced(i, axis, source), x.dims)]!,
      0,
    ),
  );
}

export const add = (a: RefInput, b: RefInput): Ref => binary(a, b, (p, q) => p + q);
export const sub = (a: RefInput, b: RefInput): Ref => binary(a, b, (p, q) => p - q);
export const mul = (a: RefInput, b: RefInput): Ref => binary(a, b, (p, q) => p * q);
export const div = (a: RefInput, b: RefInput): Ref => binary(a, b, (p, q) => p / q);

/** Slopes are broadcast to `x`. */
export const prelu = (x: RefInput, slope: RefInput): Ref => binary(x, slope, (v, s) => (v < 0 ? v * s : v));

/** Numpy broadcasting: shapes are aligned at the right, and a dimension of 1 repeats. */
function binary(a: RefInput, b: RefInput, f: (p: number, q: number) => number): Ref {
  const rank = Math.max(a.dims.length, b.dims.length);
  const [left, right] = [a, b].map(({ dims }) => [...Array<number>(rank - dims.length).fill(1), ...dims]);
  const dims = left!.map((dim, axis) => {
    const other = right![axis]!;
    if (dim !== other && dim !== 1 && other !== 1) {
      throw new RangeError(`${a.dims.join('×')} and ${b.dims.join('×')} do not broadcast`);
    }
    return dim === 1 ? other : dim;
  });
  const repeated = (index: readonly number[], shape: readonly number[]) =>
    offset(
      index.map((i, axis) => (shape[axis] === 1 ? 0 : i)),
      shape,
    );
  return build(dims, (i) => f(a.data[repeated(i, left!)]!, b.data[repeated(i, right!)]!));
}

export const relu = (x: RefInput): Ref => unary(x, (v) => Math.max(v, 0));
export const sigmoid = (x: RefInput): Ref => unary(x, (v) => 1 / (1 + Math.exp(-v)));
export const leakyRelu = (x: RefInput, alpha = 0.01): Ref => unary(x, (v) => (v < 0 ? alpha * v : v));
export const clip = (x: RefInput, min = -Infinity, max = Infinity): Ref => unary(x, (v) => clamp(v, min, max));

function unary(x: RefInput, f: (v: number) => number): Ref {
  return { dims: [...x.dims], data: Float64Array.from(x.data, f) };
}

/** Over one axis, as from opset 13 on. */
export function softmax(x: RefInput, axis = -1): Ref {
  const at = axis < 0 ? axis + x.dims.length : axis;
  const line = (index: readonly number[]) =>
    Array.from({ length: x.dims[at]! }, (_, i) => x.data[offset(replaced(index, at, i), x.dims)]!);
  return build([...x.dims], (index) => {
    const values = line(index);
    const max = Math.max(...values);
    const sum = values.reduce((total, value) => total + Math.exp(value - max), 0);
    return Math.exp(values[index[at]!]! - max) / sum;
  });
}

export function concat(inputs: readonly RefInput[], axis: number): Ref {
  const first = inputs[0]!.dims;
  const at = axis < 0 ? axis + first.length : axis;
  const dims = replaced(
    first,
    at,
    inputs.reduce((total, input) => total + input.dims[at]!, 0),
  );
  return build(dims, (index) => {
    let i = index[at]!;
    for (const input of inputs) {
      if (i < input.dims[at]!) return input.data[offset(replaced(index, at, i), input.dims)]!;
      i -= input.dims[at]!;
    }
    throw new RangeError('index outside the inputs');
  });
}

/** Output axis `k` is input axis `perm[k]`. */
export function transpose(x: RefInput, perm: readonly number[]): Ref {
  return build(
    perm.map((axis) => x.dims[axis]!),
    (index) => {
      const source = new Array<number>(perm.length);
      for (const [k, axis] of perm.entries()) source[axis] = index[k]!;
      return x.data[offset(source, x.dims)]!;
    },
  );
}

/** Inference: `mean` and `variance` are given, one number per channel like `scale` and `bias`. */
export function batchNorm(
  x: RefInput,
  scale: ArrayLike<number>,
  bias: ArrayLike<number>,
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  epsilon = 1e-5,
): Ref {
  return build([...x.dims], (index) => {
    const c = index[1]!;
    const value = x.data[offset(index, x.dims)]!;
    return ((value - mean[c]!) / Math.sqrt(variance[c]! + epsilon)) * scale[c]! + bias[c]!;
  });
}

/** Every channel of every picture by its own mean and variance; `scale` and `bias` per channel. */
export function instanceNorm(x: RefInput, scale: ArrayLike<number>, bias: ArrayLike<number>, epsilon = 1e-5): Ref {
  return groupNorm(x, x.dims[1]!, scale, bias, epsilon);
}

/** Every group of channels by its own mean and variance; `scale` and `bias` per channel. */
export function groupNorm(
  x: RefInput,
  groups: number,
  scale: ArrayLike<number>,
  bias: ArrayLike<number>,
  epsilon = 1e-5,
): Ref {
  const [n, c] = x.dims as [number, number];
  const { data } = toRef(x);
  const length = data.length / (n * groups);
  const moments = Array.from({ length: n * groups }, (_, g) => {
    const group = data.subarray(g * length, (g + 1) * length);
    const center = mean(group);
    return { center, deviation: Math.sqrt(mean(group.map((v) => (v - center) ** 2)) + epsilon) };
  });
  return build([...x.dims], (index) => {
    const i = offset(index, x.dims);
    const channel = index[1]!;
    const { center, deviation } = moments[index[0]! * groups + Math.floor(channel / (c / groups))]!;
    return ((data[i]! - center) / deviation) * scale[channel]! + bias[channel]!;
  });
}

/** Calls `value` with the index of every element, in row-major order. */
function build(dims: number[], value: (index: readonly number[]) => number): Ref {
  const data = new Float64Array(size(dims));
  const index = dims.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = value(index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < dims[axis]!) break;
      index[axis] = 0;
    }
  }
  return { dims, data };
}

/** A copy with one element changed. */
function replaced(values: readonly number[], at: number, value: number): number[] {
  return values.map((old, i) => (i === at ? value : old));
}

function offset(index: readonly number[], dims: readonly number[]): number {
  return index.reduce((at, i, axis) => at * dims[axis]! + i, 0);
}

function dims4({ dims }: RefInput): [number, number, number, number] {
  if (dims.length !== 4) throw new RangeError(`expected 4 dims, got ${dims.join('×')}`);
  return dims as unknown as [number, number, number, number];
}

function size(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

function mean(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
