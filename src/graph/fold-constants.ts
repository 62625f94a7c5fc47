import { ModelError, UnsupportedOpError } from '../common/errors.ts';
import { toHalf, widenFloat16 } from '../common/float16.ts';
import {
  type Dims,
  floatTensor,
  formatDims,
  intTensor,
  rowMajorStrides,
  sizeOf,
  type Tensor,
} from '../common/tensor.ts';
import { broadcastStrides } from '../kernels/tensor/binary.ts';
import type { ModelNode } from '../loader/model.ts';
import { concatDims } from './operators/concat.ts';
import { readIntegers, unsupported } from './operators/onnx.ts';
import { castsToFloat, readAxes, resolveReshape, squeezeDims, unsqueezeDims } from './operators/reshape.ts';
import { readSlice } from './operators/slice.ts';
import { permuteDims } from './operators/transpose.ts';
import { broadcastDims, normalizeAxis } from './shapes.ts';

/** Elements that constants may still be folded to: a few bytes of shape arithmetic can ask for gigabytes. */
export class FoldingBudget {
  readonly #all: number;
  #left: number;

  /** @param elements of all constants of the file: what folds them once or twice is no attack */
  constructor(elements: number) {
    this.#all = 2 ** 22 + 4 * elements;
    this.#left = this.#all;
  }

  /** @throws ModelError naming the node that asks for too many */
  take(node: ModelNode, dims: Dims): void {
    this.#left -= sizeOf(dims);
    if (this.#left >= 0) return;
    throw new ModelError(
      `${node.name}: ${node.op} of constants gives ${formatDims(dims)}, and all such nodes more than ${this.#all} elements`,
    );
  }
}

export type Inputs = readonly (Tensor | undefined)[];
type Data = Tensor['data'];

export function emptyLike({ type }: Pick<Tensor, 'type'>, dims: Dims): Tensor {
  return type === 'float32'
    ? { type, dims, data: new Float32Array(sizeOf(dims)) }
    : { type, dims, data: new BigInt64Array(sizeOf(dims)) };
}

/** The same elements, which stay unread. */
function withDims(tensor: Tensor, dims: Dims): Tensor {
  if (tensor.type === 'float32') return { ...tensor, dims };
  return {
    type: tensor.type,
    dims,
    get data() {
      return tensor.data;
    },
  };
}

/** Visits a strided view in row-major order: how many came before, and where the element lies. */
export function eachPlace(
  dims: Dims,
  strides: readonly number[],
  first: number,
  visit: (i: number, at: number) => void,
) {
  const count = sizeOf(dims);
  const position = dims.map(() => 0);
  let at = first;
  for (let i = 0; i < count; i++) {
    visit(i, at);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      position[axis]!++;
      if (position[axis]! < dims[axis]!) break;
      at -= strides[axis]! * dims[axis]!;
      position[axis] = 0;
    }
  }
}

/** Copies one element; both are of one type, which TypeScript does not follow. */
export function copyElement(to: Data, i: number, from: Data, at: number): void {
  (to as Float32Array)[i] = (from as Float32Array)[at]!;
}

export function copyView(data: Tensor, dims: Dims, strides: readonly number[], first: number): Tensor {
  const out = emptyLike(data, dims);
  eachPlace(dims, strides, first, (i, at) => copyElement(out.data, i, data.data, at));
  return out;
}

/** Copies a run of elements. */
function copyRun(to: Data, offset: number, from: Data, start: number, length: number): void {
  (to as Float32Array).set((from as Float32Array).subarray(start, start + length), offset);
}

type Numbers = Record<number, number>;

/** Of floats, and of integers, which are bigints: exact, and wrapping as onnxruntime's do. */
const ARITHMETIC = {
  Add: (x: number, y: number) => x + y,
  Sub: (x: number, y: number) => x - y,
  Mul: (x: number, y: number) => x * y,
  Div: (x: number, y: number) => x / y,
};

function elementwise(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const [a, b] = [input(node, inputs, 0), input(node, inputs, 1)];
  const op = node.op as keyof typeof ARITHMETIC;
  checkTypes(node, [a, b]);
  const dims = broadcastDims(node.name, a.dims, b.dims);
  budget.take(node, dims);
  const out = copyView(a, dims, broadcastStrides(a.dims, dims), 0);
  const [to, from] = [out.data, b.data] as unknown as [Numbers, Numbers];
  eachPlace(dims, broadcastStrides(b.dims, dims), 0, (i, at) => {
    if (op === 'Div' && b.data[at] === 0n) throw new ModelError(`${node.name}: division of ${to[i]} by zero`);
    to[i] = ARITHMETIC[op](to[i]!, from[at]!);
  });
  return out;
}

export function checkTypes({ name, op }: ModelNode, [first, ...more]: readonly Tensor[]): void {
  const other = more.find(({ type }) => type !== first!.type);
  if (other) throw new ModelError(`${name}: ${op} expects one type, got ${first!.type} and ${other.type}`);
}

/** Bits of ONNX's integer types, negative where they have a sign; 9 is bool. */
const BITS: Readonly<Record<number, number>> = { 2: 8, 3: -8, 4: 16, 5: -16, 6: -32, 7: -64, 12: 32, 13: 64 };

/** As C++ converts, which onnxruntime does; what C++ leaves undefined is refused. */
function cast(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const { type, dims, data: from } = input(node, inputs, 0);
  const to = node.attributes.int('to');
  budget.take(node, dims);
  if (castsToFloat(node)) {
    const data = type === 'float32' ? from : Float32Array.from(from, Number);
    if (to === 16) unsupported(node, 'of a constant to bfloat16 has no mapping');
    return { type: 'float32', dims, data: to === 10 ? widenFloat16(toHalf(data)) : data };
  }
  const bits = BITS[to];
  const convert = (value: number | bigint): bigint => {
    if (!bits) return Number(value) === 0 ? 0n : 1n;
    if (Number.isFinite(Number(value))) {
      const whole = BigInt(typeof value === 'number' ? Math.trunc(value) : value);
      const wrapped = bits < 0 ? BigInt.asIntN(-bits, whole) : BigInt.asUintN(bits, whole);
      // integers wrap, floats do not; a uint64 is an int64 here
      if (wrapped === whole || (whole === value && (bits !== 64 || whole >= 0n))) return wrapped;
    }
    throw new ModelError(`${node.name}: Cast of ${value} to ONNX type ${to} is not defined`);
  };
  return { type: 'int64', dims, data: BigInt64Array.from(from as ArrayLike<number | bigint>, convert) };
}

function round(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const from = input(node, inputs, 0);
  if (from.type !== 'float32') throw new ModelError(`${node.name}: ${node.op} expects floats, got integers`);
  budget.take(node, from.dims);
  return { ...from, data: from.data.map(node.op === 'Floor' ? Math.floor : Math.ceil) };
}

function gather(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const [data, indices] = [input(node, inputs, 0), input(node, inputs, 1)];
  const axis = normalizeAxis(node.name, node.attributes.int('axis', 0), data.dims.length);
  const size = data.dims[axis]!;
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  budget.take(node, dims);
  budget.take(node, indices.dims);
  const picks = readIntegers(node.name, indices, 'indices', Infinity).map((pick) =>
    normalizeAxis(node.name, pick, size),
  );
  const out = emptyLike(data, dims);
  const inner = sizeOf(data.dims.slice(axis + 1));
  const outer = sizeOf(data.dims.slice(0, axis));
  for (let o = 0; o < outer; o++) {
    picks.forEach((pick, i) => {
      copyRun(out.data, (o * picks.length + i) * inner, data.data, (o * size + pick) * inner, inner);
    });
  }
  return out;
}

function slice(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const data = input(node, inputs, 0);
  const { starts, steps, dims } = readSlice(node, data.dims, inputs);
  budget.take(node, dims);
  const strides = rowMajorStrides(data.dims);
  const first = strides.reduce((at, stride, axis) => at + stride * starts[axis]!, 0);
  return copyView(
    data,
    dims,
    strides.map((stride, axis) => stride * steps[axis]!),
    first,
  );
}

function concat(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const parts = inputs.map((_, i) => input(node, inputs, i));
  const [first] = parts as [Tensor];
  const axis = normalizeAxis(node.name, node.attributes.int('axis'), first.dims.length);
  const dims = concatDims(
    node.name,
    axis,
    parts.map((part) => part.dims),
  );
  checkTypes(node, parts);
  budget.take(node, dims);
  const out = emptyLike(first, dims);
  const run = sizeOf(dims.slice(axis));
  let offset = 0;
  for (const part of parts) {
    const length = sizeOf(part.dims.slice(axis));
    for (let o = 0; o < sizeOf(dims.slice(0, axis)); o++) {
      copyRun(out.data, o * run + offset, part.data, o * length, length);
    }
    offset += length;
  }
  return out;
}

function transpose(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const data = input(node, inputs, 0);
  const perm = node.attributes.ints('perm', data.dims.map((_, i) => i).reverse());
  const dims = permuteDims(node.name, perm, data.dims);
  budget.take(node, dims);
  const strides = rowMajorStrides(data.dims);
  return copyView(
    data,
    dims,
    perm.map((axis) => strides[axis]!),
    0,
  );
}

function constantOfShape(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const shape = input(node, inputs, 0);
  const fill = node.attributes.has('value') ? node.attributes.tensor('value') : floatTensor([1], [0]);
  if (sizeOf(fill.dims) !== 1) {
    throw new ModelError(`${node.name}: expected a value of one element, got ${formatDims(fill.dims)}`);
  }
  const dims = readIntegers(node.name, shape, 'dimensions');
  if (dims.some((dim) => dim < 0)) {
    throw new ModelError(`${node.name}: expected dimensions of zero or more, got ${formatDims(dims)}`);
  }
  budget.take(node, dims);
  return copyView(
    fill,
    dims,
    dims.map(() => 0),
    0,
  );
}

function constant(node: ModelNode): Tensor {
  const { attributes } = node;
  if (attributes.has('value')) return attributes.tensor('value');
  if (attributes.has('value_float')) return floatTensor([], [attributes.float('value_float')]);
  if (attributes.has('value_floats')) {
    const values = attributes.floats('value_floats');
    return floatTensor([values.length], values);
  }
  const integers = (dims: Dims, values: readonly number[]) => {
    // larger ones are read as this one
    if (values.some((value) => Math.abs(value) === Number.MAX_SAFE_INTEGER)) {
      unsupported(node, 'of integers beyond 2^53 in attributes has no mapping');
    }
    return intTensor(dims, values);
  };
  if (attributes.has('value_int')) return integers([], [attributes.int('value_int')]);
  if (attributes.has('value_ints')) {
    const values = attributes.ints('value_ints');
    return integers([values.length], values);
  }
  throw new UnsupportedOpError(node.name, node.op, 'holds no numeric value');
}

/** @throws ModelError where the node has no such input */
export function input(node: ModelNode, inputs: Inputs, index: number): Tensor {
  const found = inputs[index];
  if (!found) throw new ModelError(`${node.name}: ${node.op} expects input ${index}, got none`);
  return found;
}

function identity(node: ModelNode, inputs: Inputs): Tensor {
  return input(node, inputs, 0);
}

function squeeze(node: ModelNode, inputs: Inputs): Tensor {
  const data = input(node, inputs, 0);
  const change = node.op === 'Squeeze' ? squeezeDims : unsqueezeDims;
  return withDims(data, change(node.name, data.dims, readAxes(node, inputs[1])));
}

function reshape(node: ModelNode, inputs: Inputs): Tensor {
  const data = input(node, inputs, 0);
  if (node.attributes.int('allowzero', 0) !== 0) unsupported(node, 'with allowzero has no mapping');
  const shape = readIntegers(node.name, input(node, inputs, 1), 'dimensions');
  return withDims(data, resolveReshape(node.name, data.dims, shape));
}

/** A node whose inputs are all known, computed: its output, or all of them. @throws ModelError naming the node */
export type Fold = (node: ModelNode, inputs: Inputs, budget: FoldingBudget) => Tensor | readonly Tensor[];

/** The shape arithmetic of dynamic exports, by ONNX operator. */
const FOLDS: Record<string, Fold> = {
  Constant: constant,
  Identity: identity,
  Cast: cast,
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Floor: round,
  Ceil: round,
  Gather: gather,
  Slice: slice,
  Concat: concat,
  Squeeze: squeeze,
  Unsqueeze: squeeze,
  Reshape: reshape,
  Transpose: transpose,
  ConstantOfShape: constantOfShape,
};

/** Adds what networks other than detectors compute of constants. */
export function addFolds(folds: Readonly<Record<string, Fold>>): void {
  Object.assign(FOLDS, folds);
}

/** Whether constants alone can be computed by this ONNX operator. */
export function isFoldable(op: string): boolean {
  return Object.hasOwn(FOLDS, op);
}

/**
 * The outputs of a node whose inputs are all known: the shape arithmetic of dynamic exports.
 * Null when the operator is not one of those; the caller then treats the node as run-time work.
 * @throws ModelError naming the node
 */
export function foldConstants(node: ModelNode, inputs: Inputs, budget: FoldingBudget): readonly Tensor[] | null {
  if (!isFoldable(node.op) || (!inputs[0] && node.op !== 'Constant')) return null;
  const folded = FOLDS[node.op]!(node, inputs, budget);
  return 'type' in folded ? [folded] : folded;
}
