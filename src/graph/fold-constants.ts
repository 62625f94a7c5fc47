import { ModelError, UnsupportedOpError } from '../common/errors.ts';
import {
  type Dims,
  floatTensor,
  intTensor,
  rowMajorStrides,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../common/tensor.ts';
import type { ModelNode } from '../loader/model.ts';
import { castsToFloat, readAxes, resolveReshape, squeezeDims, unsqueezeDims } from './operators/reshape.ts';
import { readSlice } from './operators/slice.ts';
import { broadcastDims, normalizeAxis } from './shapes.ts';

/** A tensor of the same type with other elements. */
function make(like: Tensor['type'], dims: Dims, values: readonly number[]): Tensor {
  return like === 'float32' ? floatTensor(dims, values) : intTensor(dims, values.map(Math.trunc));
}

function elementwise(who: string, a: Tensor, b: Tensor, apply: (x: number, y: number) => number): Tensor {
  const dims = broadcastDims(who, a.dims, b.dims);
  const strides = rowMajorStrides(dims);
  const pick = (tensor: Tensor) => {
    const values = toNumbers(tensor);
    const own = rowMajorStrides(tensor.dims);
    const missing = dims.length - tensor.dims.length;
    return (i: number) =>
      values[
        tensor.dims.reduce(
          (at, dim, axis) => at + (dim === 1 ? 0 : (Math.floor(i / strides[axis + missing]!) % dim) * own[axis]!),
          0,
        )
      ]!;
  };
  const pa = pick(a);
  const pb = pick(b);
  return make(
    a.type,
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) => apply(pa(i), pb(i))),
  );
}

/** Copies whatever `sourceOf` names for each output position. */
function rearrange(data: Tensor, dims: Dims, sourceOf: (position: number[]) => number): Tensor {
  const values = toNumbers(data);
  const strides = rowMajorStrides(dims);
  const out = Array.from({ length: sizeOf(dims) }, (_, i) => {
    const position = dims.map((dim, axis) => Math.floor(i / strides[axis]!) % dim);
    return values[sourceOf(position)]!;
  });
  return make(data.type, dims, out);
}

function gather(node: ModelNode, data: Tensor, indices: Tensor): Tensor {
  const axis = normalizeAxis(node.name, node.attributes.int('axis', 0), data.dims.length);
  const size = data.dims[axis]!;
  const picks = toNumbers(indices).map((index) => normalizeAxis(node.name, index, size));
  const strides = rowMajorStrides(data.dims);
  const inner = rowMajorStrides(indices.dims);
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  return rearrange(data, dims, (position) => {
    const index = position.slice(axis, axis + indices.dims.length).reduce((at, p, i) => at + p * inner[i]!, 0);
    const source = [...position.slice(0, axis), picks[index]!, ...position.slice(axis + indices.dims.length)];
    return source.reduce((at, p, i) => at + p * strides[i]!, 0);
  });
}

function slice(node: ModelNode, inputs: readonly (Tensor | undefined)[]): Tensor {
  const data = inputs[0]!;
  const { starts, steps, dims } = readSlice(node, data.dims, inputs);
  const strides = rowMajorStrides(data.dims);
  return rearrange(data, dims, (position) =>
    position.reduce((at, p, axis) => at + (starts[axis]! + p * steps[axis]!) * strides[axis]!, 0),
  );
}

function concat(node: ModelNode, inputs: readonly Tensor[]): Tensor {
  const axis = normalizeAxis(node.name, node.attributes.int('axis'), inputs[0]!.dims.length);
  const outer = sizeOf(inputs[0]!.dims.slice(0, axis));
  const parts = inputs.map((tensor) => ({ values: toNumbers(tensor), run: sizeOf(tensor.dims.slice(axis)) }));
  const values = Array.from({ length: outer }, (_, o) =>
    parts.flatMap((part) => part.values.slice(o * part.run, (o + 1) * part.run)),
  ).flat();
  const length = inputs.reduce((sum, tensor) => sum + tensor.dims[axis]!, 0);
  return make(
    inputs[0]!.type,
    inputs[0]!.dims.map((dim, i) => (i === axis ? length : dim)),
    values,
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
  if (attributes.has('value_int')) return intTensor([], [attributes.int('value_int')]);
  if (attributes.has('value_ints')) {
    const values = attributes.ints('value_ints');
    return intTensor([values.length], values);
  }
  throw new UnsupportedOpError(node.name, node.op, 'holds no numeric value');
}

/**
 * The value of a node whose inputs are all known: the shape arithmetic of dynamic exports.
 * Null when the operator is not one of those; the caller then treats the node as run-time work.
 */
export function foldConstants(node: ModelNode, inputs: readonly (Tensor | undefined)[]): Tensor | null {
  const first = inputs[0];
  if (node.op === 'Constant') return constant(node);
  if (!first) return null;
  switch (node.op) {
    case 'Identity':
      return first;
    case 'Cast':
      return make(castsToFloat(node) ? 'float32' : 'int64', first.dims, toNumbers(first));
    case 'Add':
      return elementwise(node.name, first, inputs[1]!, (x, y) => x + y);
    case 'Sub':
      return elementwise(node.name, first, inputs[1]!, (x, y) => x - y);
    case 'Mul':
      return elementwise(node.name, first, inputs[1]!, (x, y) => x * y);
    case 'Div':
      return elementwise(node.name, first, inputs[1]!, (x, y) => {
        if (first.type === 'int64' && y === 0) throw new ModelError(`${node.name}: division of ${x} by zero`);
        return x / y;
      });
    case 'Floor':
      return make(first.type, first.dims, toNumbers(first).map(Math.floor));
    case 'Ceil':
      return make(first.type, first.dims, toNumbers(first).map(Math.ceil));
    case 'Gather':
      return gather(node, first, inputs[1]!);
    case 'Slice':
      return slice(node, inputs);
    case 'Concat':
      return concat(node, inputs as Tensor[]);
    case 'Squeeze':
      return { ...first, dims: squeezeDims(node.name, first.dims, readAxes(node, inputs[1])) };
    case 'Unsqueeze':
      return { ...first, dims: unsqueezeDims(node.name, first.dims, readAxes(node, inputs[1])) };
    case 'Reshape':
      node.attributes.int('allowzero', 0);
      return { ...first, dims: resolveReshape(node.name, first.dims, toNumbers(inputs[1]!)) };
    case 'Transpose': {
      const strides = rowMajorStrides(first.dims);
      const perm = node.attributes.ints('perm', first.dims.map((_, i) => i).reverse());
      return rearrange(
        first,
        perm.map((axis) => first.dims[axis]!),
        (position) => position.reduce((at, p, i) => at + p * strides[perm[i]!]!, 0),
      );
    }
    case 'ConstantOfShape': {
      const fill = node.attributes.has('value') ? node.attributes.tensor('value') : floatTensor([1], [0]);
      const dims = toNumbers(first);
      return make(fill.type, dims, new Array<number>(sizeOf(dims)).fill(toNumbers(fill)[0]!));
    }
    default:
      return null;
  }
}
