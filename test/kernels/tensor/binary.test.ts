import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/common/tensor.ts';
import { broadcastDims } from '../../../src/graph/shapes.ts';
import { type BinaryOperation, binary, binaryStrided } from '../../../src/kernels/tensor/binary.ts';
import { expectClose, type Tolerance } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { add, div, mul, prelu, type Ref, type RefInput, sub } from '../../support/reference-ops.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { type Dims4, packImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

const REFERENCES: Readonly<Record<BinaryOperation, (a: RefInput, b: RefInput) => Ref>> = { add, sub, mul, div, prelu };
const OPERATIONS = Object.keys(REFERENCES) as BinaryOperation[];

/** Rounding the float64 result once gives what float32 gives. */
function toleranceOf(operation: BinaryOperation): Tolerance {
  if (operation === 'div') return { rel: 2.5 * 2 ** -23, reason: 'WGSL divides within 2.5 ULP' };
  return { reason: 'WGSL rounds sums and products correctly' };
}

/** Away from zero, so that quotients stay moderate. */
function numbers(rng: Rng, count: number): Float32Array<ArrayBuffer> {
  return rng.floats(count, 0.1, 2).map((value) => (rng.int(0, 1) === 0 ? value : -value));
}

const OUTPUT: Dims4 = [2, 6, 3, 5];

const PACKED: readonly (readonly [a: Dims4, b: Dims4, output: Dims4])[] = [
  [OUTPUT, OUTPUT, OUTPUT],
  [
    [1, 1, 1, 1],
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ],
  [
    [3, 1, 7, 9],
    [3, 1, 7, 9],
    [3, 1, 7, 9],
  ],
  [OUTPUT, [1, 6, 3, 5], OUTPUT],
  [OUTPUT, [2, 1, 3, 5], OUTPUT],
  [OUTPUT, [2, 6, 1, 5], OUTPUT],
  [OUTPUT, [2, 6, 3, 1], OUTPUT],
  [OUTPUT, [1, 6, 1, 1], OUTPUT],
  [OUTPUT, [1, 1, 1, 1], OUTPUT],
  [[1, 6, 3, 1], OUTPUT, OUTPUT],
  [[1, 1, 1, 1], OUTPUT, OUTPUT],
  [[2, 1, 1, 5], [1, 6, 3, 1], OUTPUT],
  [
    [1, 16, 1, 1],
    [1, 16, 9, 8],
    [1, 16, 9, 8],
  ],
  [
    [1, 3, 1, 40],
    [2, 1, 2, 1],
    [2, 3, 2, 40],
  ],
];

const STRIDED: readonly (readonly [a: number[], b: number[]])[] = [
  [[], []],
  [[7], []],
  [[], [5]],
  [[300], [300]],
  [[3, 4], [4]],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [[4], [2, 3, 4]],
  [
    [2, 3, 4, 5],
    [3, 1, 1],
  ],
  [
    [1, 3, 1, 5],
    [2, 1, 4, 1],
  ],
  [
    [2, 1, 3, 2, 2],
    [2, 4, 1, 2, 2],
  ],
  [
    [2, 3, 1, 2, 3, 2],
    [3, 4, 1, 1, 2],
  ],
  [
    [2, 1, 2, 1, 2, 1, 3],
    [1, 2, 1, 3, 1, 2, 1],
  ],
  [
    [2, 1, 2, 3, 1, 2, 2, 1],
    [1, 3, 2, 1, 2, 1, 2, 2],
  ],
];

const show = (dims: readonly number[]) => dims.join('×') || 'scalar';

describe.each(OPERATIONS)('binary %s', (operation) => {
  it.each(PACKED.map(([a, b, output]) => [`${show(a)} and ${show(b)}`, a, b, output] as const))(
    '%s',
    async (_, aDims, bDims, outDims) => {
      const rng = createRng(1);
      const a = packImage(numbers(rng, sizeOf(aDims)), aDims);
      const b = packImage(numbers(rng, sizeOf(bDims)), bDims);
      const output = await runDispatch(binary(operation, aDims, bDims, outDims), [a.packed, b.packed]);
      const expected = Float32Array.from(REFERENCES[operation](a, b).data);
      expectClose(unpackOnCpu(new Float32Array(output), outDims), expected, toleranceOf(operation));
    },
  );

  it('leaves 0 in the lanes beyond the last channel, even of 0 / 0', async () => {
    const dims: Dims4 = [2, 5, 1, 3];
    const zeros = new Float32Array(2 * 2 * 3 * 4);
    const output = new Float32Array(await runDispatch(binary(operation, dims, dims, dims), [zeros, zeros]));
    const lanes = output.filter((_, i) => Math.floor(i / 12) % 2 === 1 && i % 4 > 0);
    expect(lanes).toEqual(new Float32Array(18));
  });
});

describe.each(OPERATIONS)('binaryStrided %s', (operation) => {
  // a slope broadcasts to its input, never the other way
  const cases = STRIDED.filter(([a, b]) => operation !== 'prelu' || show(broadcastDims('', a, b)) === show(a));
  it.each(cases.map(([a, b]) => [`${show(a)} and ${show(b)}`, a, b] as const))('%s', async (_, aDims, bDims) => {
    const rng = createRng(1);
    const outDims = broadcastDims('test', aDims, bDims);
    const [a, b] = [aDims, bDims].map((dims) => ({ dims, data: numbers(rng, sizeOf(dims)) })) as [Operand, Operand];
    const output = await runDispatch(binaryStrided(operation, aDims, bDims, outDims), [a.data, b.data]);
    const expected = Float32Array.from(REFERENCES[operation](a, b).data);
    expectClose(new Float32Array(output).subarray(0, expected.length), expected, toleranceOf(operation));
  });
});

interface Operand {
  readonly dims: number[];
  readonly data: Float32Array<ArrayBuffer>;
}

it('binaryStrided refuses nine dimensions', () => {
  const dims = new Array<number>(9).fill(1);
  expect(() => binaryStrided('add', dims, dims, dims)).toThrow(new RangeError('expected at most 8 dimensions, got 9'));
});
