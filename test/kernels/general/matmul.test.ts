import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/common/tensor.ts';
import { NO_ACTIVATION } from '../../../src/kernels/activation.ts';
import {
  isFewRows,
  type MatMulSpec,
  matmulRows,
  matmulTile,
  packColumns,
} from '../../../src/kernels/general/matmul.ts';
import { expectClose } from '../../support/compare.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

const PLAIN = {
  ...{ transA: false, transB: false, batch: [], aBatch: [], bBatch: [] },
  ...{ bias: null, alpha: 1, beta: 1, activation: NO_ACTIVATION },
} as const;

const CASES: readonly [title: string, spec: MatMulSpec][] = [
  ['one number', { ...PLAIN, rows: 1, columns: 1, inner: 1 }],
  ['a row', { ...PLAIN, rows: 1, columns: 130, inner: 512, transB: true, bias: [1, 130] }],
  ['a row of few numbers', { ...PLAIN, rows: 1, columns: 7, inner: 4 }],
  ['a row of an odd number of them', { ...PLAIN, rows: 1, columns: 5, inner: 33, bias: [1, 1] }],
  ['a long row', { ...PLAIN, rows: 1, columns: 3, inner: 4400, transB: true }],
  ['three rows', { ...PLAIN, rows: 3, columns: 20, inner: 64, alpha: 0.5, beta: 2, bias: [3, 20] }],
  ['sixteen rows', { ...PLAIN, rows: 16, columns: 33, inner: 176, transB: true, bias: [1, 33] }],
  ['seventeen', { ...PLAIN, rows: 17, columns: 33, inner: 48, bias: [17, 1] }],
  ['large tiles', { ...PLAIN, rows: 130, columns: 140, inner: 40 }],
  ['large tiles, transposed', { ...PLAIN, rows: 129, columns: 150, inner: 19, transA: true, transB: true }],
  ['a transposed left', { ...PLAIN, rows: 40, columns: 9, inner: 21, transA: true }],
  ['a batch', { ...PLAIN, rows: 5, columns: 6, inner: 7, batch: [2, 3], aBatch: [2, 1], bBatch: [3] }],
  ['a batch of rows', { ...PLAIN, rows: 2, columns: 6, inner: 8, batch: [2, 3], aBatch: [2, 3], bBatch: [] }],
  ['bounds', { ...PLAIN, rows: 2, columns: 40, inner: 8, activation: { kind: 'clip', low: -0.1, high: 0.2 } }],
  ['a logistic function', { ...PLAIN, rows: 20, columns: 4, inner: 8, activation: { kind: 'sigmoid' } }],
  ['a slope', { ...PLAIN, rows: 20, columns: 4, inner: 8, activation: { kind: 'leakyRelu', slope: 0.1 } }],
];

/** Where each matrix of a batch begins, counted in matrices. */
function matricesOf(batch: readonly number[], own: readonly number[]): number[] {
  return Array.from({ length: sizeOf(batch) }, (_, i) => {
    let [rest, at, stride] = [i, 0, 1];
    for (let axis = 1; axis <= batch.length; axis++) {
      const [size, dim] = [batch.at(-axis)!, own.at(-axis) ?? 1];
      at += dim === 1 ? 0 : (rest % size) * stride;
      stride *= dim;
      rest = Math.floor(rest / size);
    }
    return at;
  });
}

function activate(v: number, { activation }: MatMulSpec): number {
  switch (activation.kind) {
    case 'clip':
      return Math.min(Math.max(v, activation.low), activation.high);
    case 'leakyRelu':
      return v < 0 ? v * activation.slope : v;
    case 'sigmoid':
      return 1 / (1 + Math.exp(-v));
    default:
      return v;
  }
}

function reference(spec: MatMulSpec, a: Float32Array, b: Float32Array, bias: Float32Array): number[] {
  const { rows, columns, inner, transA, transB } = spec;
  const [left, right] = [matricesOf(spec.batch, spec.aBatch), matricesOf(spec.batch, spec.bBatch)];
  return left.flatMap((_, n) =>
    Array.from({ length: rows * columns }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const x = a[left[n]! * rows * inner + (transA ? k * rows + row : row * inner + k)]!;
        sum += x * b[right[n]! * inner * columns + (transB ? column * inner + k : k * columns + column)]!;
      }
      const [biasRows, biasColumns] = spec.bias ?? [0, 0];
      const place = (biasRows > 1 ? row * biasColumns : 0) + (biasColumns > 1 ? column : 0);
      return activate(spec.alpha * sum + (spec.bias ? spec.beta * bias[place]! : 0), spec);
    }),
  );
}

const fitsRows = (spec: MatMulSpec) => isFewRows(spec, { software: false });

describe.each([
  ['tiles', () => true, matmulTile, (b: Float32Array<ArrayBuffer>) => b],
  ['rows', fitsRows, matmulRows, packColumns],
] as const)('a product of matrices by %s', (_, can, kernel, pack) => {
  it.each(CASES.filter(([, spec]) => can(spec)))('%s', async (_, spec) => {
    const rng = createRng(1);
    const limit = Math.sqrt(3 / spec.inner);
    const a = rng.floats(sizeOf(spec.aBatch) * spec.rows * spec.inner);
    const b = rng.floats(sizeOf(spec.bBatch) * spec.inner * spec.columns, -limit, limit);
    const bias = rng.floats(spec.bias ? spec.bias[0] * spec.bias[1] : 1);
    // without a bias what is bound in its place must not matter
    const third = spec.bias ? bias : new Float32Array([NaN]);
    const run = () => runDispatch(kernel(spec), [a, pack(b, spec), third]);
    const output = new Float32Array(await run());
    const expected = reference(spec, a, b, bias);
    expectClose(output.subarray(0, expected.length), expected, {
      abs: 1e-5,
      reason: 'float32 sums of up to 4400 products of numbers near 1 / sqrt(their number)',
    });
    expect(new Float32Array(await run()), 'the same bits again').toEqual(output);
  });
});

it('covers rows', () => {
  expect(CASES.filter(([, spec]) => fitsRows(spec)).length).toBeGreaterThan(5);
});
