// Constants that Pad, Expand, Tile, Split and Range compute from constants.
import { ModelError } from '../common/errors.ts';
import { type Dims, rowMajorStrides, sizeOf, type Tensor, toNumbers } from '../common/tensor.ts';
import type { PadMode } from '../kernels/general/pad.ts';
import { broadcastStrides } from '../kernels/tensor/binary.ts';
import type { ModelNode } from '../loader/model.ts';
import { copyElement, copyView, emptyLike, type FoldingBudget, type Inputs, input } from './fold-constants.ts';
import { paddedDims, padsBehind, readPadding, readPadMode, tiledDims } from './operators/general/pad.ts';
import { splitLengths } from './operators/general/split.ts';
import { readIntegers } from './operators/onnx.ts';
import { broadcastDims } from './shapes.ts';

/** The element of an axis that stands at a place from its first one on, as `pad-source.wgsl` has it; -1 where a number does. */
function sourceOf(place: number, size: number, mode: PadMode): number {
  const modulo = (divisor: number) => ((place % divisor) + divisor) % divisor;
  switch (mode) {
    case 'constant':
      return place >= 0 && place < size ? place : -1;
    case 'edge':
      return Math.min(Math.max(place, 0), size - 1);
    case 'wrap':
      return modulo(size);
    case 'reflect': {
      const step = modulo(Math.max(2 * (size - 1), 1));
      return Math.min(step, Math.max(2 * (size - 1), 1) - step);
    }
    default:
      return mode satisfies never;
  }
}

interface Padding {
  readonly pads: readonly number[];
  readonly mode: PadMode;
  readonly value?: Tensor | undefined;
}

function padded(node: ModelNode, data: Tensor, { pads, mode, value }: Padding, budget: FoldingBudget): Tensor {
  const rank = data.dims.length;
  const dims = paddedDims(node.name, { pads, mode }, data.dims);
  budget.take(node, dims);
  const out = emptyLike(data, dims);
  const strides = rowMajorStrides(data.dims);
  const outStrides = rowMajorStrides(dims);
  const starts = data.dims.map((_, axis) => Math.max(0, -pads[axis]!));
  const sizes = data.dims.map((dim, axis) => dim - starts[axis]! - Math.max(0, -pads[rank + axis]!));
  for (let i = 0; i < sizeOf(dims); i++) {
    let source = 0;
    for (let axis = 0; axis < rank && source >= 0; axis++) {
      const position = Math.floor(i / outStrides[axis]!) % dims[axis]!;
      const place = sourceOf(position - Math.max(0, pads[axis]!), sizes[axis]!, mode);
      source = place < 0 ? -1 : source + (starts[axis]! + place) * strides[axis]!;
    }
    if (source >= 0) copyElement(out.data, i, data.data, source);
    else if (value) copyElement(out.data, i, value.data, 0);
  }
  return out;
}

function pad(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const data = input(node, inputs, 0);
  const numbers = (index: number) => (inputs[index] ? readIntegers(node.name, inputs[index], 'pads', 16) : null);
  const value = inputs[2];
  if (value && (value.type !== data.type || sizeOf(value.dims) !== 1)) {
    throw new ModelError(`${node.name}: expected a constant_value of one ${data.type}`);
  }
  if (node.attributes.float('value', 0) !== 0 && !value) {
    throw new ModelError(`${node.name}: Pad of a constant with another number than 0 expects it as an input`);
  }
  return padded(
    node,
    data,
    { pads: readPadding(node, data.dims.length, numbers), mode: readPadMode(node), value },
    budget,
  );
}

function tile(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const data = input(node, inputs, 0);
  const dims = tiledDims(node.name, data.dims, readIntegers(node.name, input(node, inputs, 1), 'repeats'));
  return padded(node, data, { pads: padsBehind(data.dims, dims), mode: 'wrap' }, budget);
}

function expand(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const data = input(node, inputs, 0);
  const dims = broadcastDims(node.name, data.dims, readIntegers(node.name, input(node, inputs, 1), 'dimensions'));
  budget.take(node, dims);
  return copyView(data, dims, broadcastStrides(data.dims, dims), 0);
}

function split(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor[] {
  const data = input(node, inputs, 0);
  const { axis, lengths } = splitLengths(node, data.dims, inputs[1]);
  budget.take(node, data.dims);
  const strides = rowMajorStrides(data.dims);
  let start = 0;
  return lengths.map((length) => {
    const part = copyView(data, data.dims.with(axis, length), strides, start * strides[axis]!);
    start += length;
    return part;
  });
}

function range(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const all = [0, 1, 2].map((i) => input(node, inputs, i)) as [Tensor, Tensor, Tensor];
  const [{ type }] = all;
  if (all.some((each) => each.type !== type || sizeOf(each.dims) !== 1)) {
    throw new ModelError(`${node.name}: Range expects three numbers of one type`);
  }
  const [start, limit, delta] = all.map((each) => toNumbers(each)[0]!) as [number, number, number];
  if (delta === 0) throw new ModelError(`${node.name}: Range expects steps other than 0`);
  const dims: Dims = [Math.max(0, Math.ceil((limit - start) / delta))];
  budget.take(node, dims);
  const at = (_: unknown, i: number) => start + i * delta;
  return type === 'float32'
    ? { type, dims, data: Float32Array.from({ length: dims[0]! }, at) }
    : { type, dims, data: BigInt64Array.from({ length: dims[0]! }, (_, i) => BigInt(at(_, i))) };
}

export const MOVE_FOLDS = { Pad: pad, Tile: tile, Expand: expand, Split: split, Range: range };
