import { ModelError } from '../common/errors.ts';
import { type Dims, formatDims, sizeOf } from '../common/tensor.ts';
import type { Node, Pads, Pair } from './ir.ts';

/** Dims of a rank-4 value. */
export type Dims4 = readonly [number, number, number, number];

export function asDims4(who: string, dims: Dims): Dims4 {
  const [n, c, h, w, ...more] = dims;
  if (n === undefined || c === undefined || h === undefined || w === undefined || more.length > 0) {
    throw new ModelError(`${who}: expected 4 dimensions (NCHW), got ${formatDims(dims)}`);
  }
  return [n, c, h, w];
}

/** Output positions of a window that slides over a padded axis. */
export function windowCount(size: number, kernel: number, stride: number, dilation: number, pads: number): number {
  return Math.floor((size + pads - ((kernel - 1) * dilation + 1)) / stride) + 1;
}

function pooledSize(
  size: number,
  axis: 0 | 1,
  node: { kernel: Pair; strides: Pair; dilations: Pair; pads: Pads; ceilMode: boolean },
): number {
  const stride = node.strides[axis];
  const padded = size + node.pads[axis] + node.pads[axis + 2]!;
  const span = padded - ((node.kernel[axis] - 1) * node.dilations[axis] + 1);
  if (!node.ceilMode) return Math.floor(span / stride) + 1;
  const count = Math.ceil(span / stride) + 1;
  // a last window that starts in the padding behind the input does not exist
  return (count - 1) * stride >= size + node.pads[axis] ? count - 1 : count;
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

/** The output shape that a node's attributes and input shapes imply; throws ModelError where they disagree. */
export function inferDims(node: Node, dimsOf: (value: string) => Dims): Dims {
  const x = dimsOf(node.inputs[0]!);
  switch (node.op) {
    case 'Conv': {
      const [n, c, h, w] = asDims4(node.name, x);
      const [out, perGroup, kh, kw] = asDims4(`${node.name}: weight`, dimsOf(node.weight));
      if (perGroup * node.group !== c) {
        throw new ModelError(`${node.name}: weight expects ${perGroup * node.group} input channels, got ${c}`);
      }
      if (out % node.group !== 0) {
        throw new ModelError(`${node.name}: expected output channels in multiples of ${node.group} groups, got ${out}`);
      }
      if (kh !== node.kernel[0] || kw !== node.kernel[1]) {
        throw new ModelError(`${node.name}: kernel_shape ${node.kernel} does not match the weight's ${kh},${kw}`);
      }
      if (node.bias !== null && sizeOf(dimsOf(node.bias)) !== out) {
        throw new ModelError(`${node.name}: bias expects ${out} elements, got ${sizeOf(dimsOf(node.bias))}`);
      }
      const [top, left, bottom, right] = node.pads;
      const oh = windowCount(h, kh, node.strides[0], node.dilations[0], top + bottom);
      const ow = windowCount(w, kw, node.strides[1], node.dilations[1], left + right);
      return checkExtents(node.name, [n, out, oh, ow], x);
    }
    case 'Pool': {
      const [n, c, h, w] = asDims4(node.name, x);
      return checkExtents(node.name, [n, c, pooledSize(h, 0, node), pooledSize(w, 1, node)], x);
    }
    case 'GlobalPool': {
      const [n, c] = asDims4(node.name, x);
      return [n, c, 1, 1];
    }
    case 'Resize': {
      const [n, c] = asDims4(node.name, x);
      return checkExtents(node.name, [n, c, ...node.size], x);
    }
    case 'BatchNorm':
      asDims4(node.name, x);
      return checkChannels(node.name, x, dimsOf(node.gamma));
    case 'GroupNorm':
      if (x.length < 3 || x[1]! % node.groups !== 0) {
        throw new ModelError(
          `${node.name}: expected 3 or more dimensions with channels in ${node.groups} groups, got ${formatDims(x)}`,
        );
      }
      return checkChannels(node.name, x, dimsOf(node.scale));
    case 'Unary':
      return x;
    case 'Softmax':
      return checkAxis(node.name, node.axis, x);
    case 'Binary': {
      const out = broadcastDims(node.name, x, dimsOf(node.inputs[1]!));
      if (node.operation === 'prelu' && formatDims(out) !== formatDims(x)) {
        throw new ModelError(`${node.name}: slope must broadcast to ${formatDims(x)}, got ${formatDims(out)}`);
      }
      return out;
    }
    case 'Concat': {
      checkAxis(node.name, node.axis, x);
      const all = node.inputs.map(dimsOf);
      for (const dims of all) {
        if (dims.length !== x.length || dims.some((dim, i) => i !== node.axis && dim !== x[i])) {
          throw new ModelError(
            `${node.name}: inputs ${formatDims(x)} and ${formatDims(dims)} differ off axis ${node.axis}`,
          );
        }
      }
      return x.map((dim, i) => (i === node.axis ? all.reduce((sum, dims) => sum + dims[i]!, 0) : dim));
    }
    case 'Transpose': {
      const sorted = [...node.perm].sort((a, b) => a - b);
      if (sorted.length !== x.length || sorted.some((axis, i) => axis !== i)) {
        throw new ModelError(`${node.name}: perm ${node.perm} does not permute ${formatDims(x)}`);
      }
      return node.perm.map((axis) => x[axis]!);
    }
    case 'Slice':
      if (node.dims.some((dim, i) => node.starts[i]! + (dim - 1) * node.steps[i]! >= x[i]!)) {
        throw new ModelError(`${node.name}: a slice of ${formatDims(node.dims)} leaves ${formatDims(x)}`);
      }
      return checkExtents(node.name, node.dims, x);
    case 'Reshape':
      if (sizeOf(node.dims) !== sizeOf(x)) {
        throw new ModelError(`${node.name}: cannot reshape ${formatDims(x)} to ${formatDims(node.dims)}`);
      }
      return node.dims;
    default:
      return node satisfies never;
  }
}

function checkExtents(who: string, dims: Dims, input: Dims): Dims {
  if (dims.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new ModelError(`${who}: input ${formatDims(input)} is too small, the output would be ${formatDims(dims)}`);
  }
  return dims;
}

function checkChannels(who: string, x: Dims, scale: Dims): Dims {
  if (sizeOf(scale) !== x[1]) {
    throw new ModelError(`${who}: expected ${x[1]} channels of scale and shift, got ${sizeOf(scale)}`);
  }
  return x;
}

function checkAxis(who: string, axis: number, x: Dims): Dims {
  if (axis < 0 || axis >= x.length) {
    throw new ModelError(`${who}: axis ${axis} is outside the input's ${x.length} dimensions`);
  }
  return x;
}
