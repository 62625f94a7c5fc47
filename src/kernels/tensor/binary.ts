import { type Dims, rowMajorStrides, sizeOf } from '../../common/tensor.ts';
import { type Dispatch, dispatch, eight, flatGrid, type Launch, packParams } from '../dispatch.ts';
import { blocksOf, floatBytes, packedBytes } from '../nc4hw4.ts';

/** `prelu` is `a < 0 ? a * b : a`. */
export type BinaryOperation = 'add' | 'sub' | 'mul' | 'div' | 'prelu';

type Dims4 = readonly [number, number, number, number];

const OPERATIONS: readonly BinaryOperation[] = ['add', 'sub', 'mul', 'div', 'prelu'];
const WORKGROUP = 64;

/** Strides of an operand in vec4: batch, block, row, column; 0 along the dimensions it is broadcast over. */
function packedStrides([n, c, h, w]: Dims4, output: Dims4): number[] {
  return [n === 1 ? 0 : blocksOf(c) * h * w, splats(c, output[1]) ? 0 : h * w, h === 1 ? 0 : w, w === 1 ? 0 : 1];
}

function splats(channels: number, outChannels: number): boolean {
  return channels === 1 && outChannels > 1;
}

/** What a launch on pairs of NC4HW4 elements needs besides what is done with them. */
export function pairs(a: Dims4, b: Dims4, output: Dims4): Launch {
  const [n, c, h, w] = output;
  const count = n * blocksOf(c) * h * w;
  return {
    params: packParams([
      ...[c, blocksOf(c), h, w],
      ...[count, splats(a[1], c) ? 1 : 0, splats(b[1], c) ? 1 : 0, 0],
      ...packedStrides(a, output),
      ...packedStrides(b, output),
    ]),
    bindingBytes: [packedBytes(...a), packedBytes(...b), packedBytes(...output)],
    workgroups: flatGrid(count, WORKGROUP),
  };
}

/** On NC4HW4, each operand's dims equal to the output's or 1. Bindings: a, b, output. */
export function binary(operation: BinaryOperation, a: Dims4, b: Dims4, output: Dims4): Dispatch {
  const overrides = { WORKGROUP, OPERATION: OPERATIONS.indexOf(operation) };
  return dispatch('binary', { overrides, ...pairs(a, b, output) });
}

/** Row-major strides of `dims` aligned to the output's last dimensions, zero where broadcast. */
export function broadcastStrides(dims: Dims, output: Dims): number[] {
  const strides = rowMajorStrides(dims);
  const missing = output.length - dims.length;
  return output.map((_, axis) => {
    const own = axis - missing;
    return own < 0 || dims[own] === 1 ? 0 : strides[own]!;
  });
}

/** What a launch on pairs of row-major elements needs besides what is done with them. */
export function stridedPairs(a: Dims, b: Dims, output: Dims): Launch {
  const count = sizeOf(output);
  return {
    // the arrays of vec4 start at the next multiple of 16 bytes
    params: packParams([
      ...[count, 0, 0, 0],
      ...eight(output, 1),
      ...eight(broadcastStrides(a, output), 0),
      ...eight(broadcastStrides(b, output), 0),
    ]),
    bindingBytes: [floatBytes(sizeOf(a)), floatBytes(sizeOf(b)), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  };
}

/** On row-major tensors of up to 8 dimensions with numpy broadcasting. Bindings: a, b, output. */
export function binaryStrided(operation: BinaryOperation, a: Dims, b: Dims, output: Dims): Dispatch {
  const overrides = { WORKGROUP, OPERATION: OPERATIONS.indexOf(operation) };
  return dispatch('binary-strided', { overrides, ...stridedPairs(a, b, output) });
}
