import { describe, expect, it } from 'vitest';
import { type Dims, rowMajorStrides, sizeOf } from '../../../src/common/tensor.ts';
import { lanesFor } from '../../../src/kernels/general/lanes.ts';
import { reduce } from '../../../src/kernels/general/reduce.ts';
import { expectClose } from '../../support/compare.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

/** One invocation a result, and several; results that fill workgroups and that do not. */
const CASES: readonly [dims: Dims, axes: readonly number[]][] = [
  [[1], [0]],
  [[7, 5], [1]],
  [[7, 5], [0]],
  [[3, 70], [1]],
  [[70, 3], [0]],
  [
    [2, 3, 4, 5],
    [0, 2],
  ],
  [[2, 3, 4, 5], []],
  [
    [2, 30, 4, 50],
    [1, 3],
  ],
  [
    [2, 2, 2, 2, 2, 2, 2, 3],
    [0, 2, 4, 6],
  ],
  [
    [2, 2, 2, 2, 2, 2, 2, 3],
    [1, 3, 5, 7],
  ],
  [[4100, 66], [1]],
  [
    [300, 200],
    [0, 1],
  ],
];

function reference(data: Float32Array, dims: Dims, axes: readonly number[]): number[][] {
  const kept = dims.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const strides = rowMajorStrides(dims);
  const keptStrides = rowMajorStrides(kept.map((axis) => dims[axis]!));
  const groups: number[][] = [];
  data.forEach((value, i) => {
    const place = kept.reduce(
      (at, axis, k) => at + (Math.floor(i / strides[axis]!) % dims[axis]!) * keptStrides[k]!,
      0,
    );
    const group = groups[place] ?? [];
    group.push(value);
    groups[place] = group;
  });
  return groups;
}

describe('reductions', () => {
  it.each(CASES.map(([dims, axes]) => [dims.join('×'), axes.join(), dims, axes] as const))(
    '%s along %s',
    async (_, __, dims, axes) => {
      const data = createRng(1).floats(sizeOf(dims));
      const groups = reference(data, dims, axes);
      const run = async (kind: 'sum' | 'max' | 'logSumExp') => {
        const output = new Float32Array(await runDispatch(reduce(kind, dims, new Set(axes)), [data]));
        return output.subarray(0, groups.length);
      };
      const reason = 'float32 sums of numbers near 1, in another order';
      const sum = (values: readonly number[]) => values.reduce((whole, x) => whole + x, 0);
      expectClose(await run('sum'), groups.map(sum), { abs: 2e-4, reason });
      expect([...(await run('max'))]).toEqual(groups.map((values) => values.reduce((a, b) => Math.max(a, b))));
      const logs = groups.map((values) => Math.log(sum(values.map(Math.exp))));
      expectClose(await run('logSumExp'), logs, { abs: 1e-5, reason: 'log() of WGSL' });
    },
  );

  it('are shared by invocations, and are not', () => {
    const lanes = CASES.map(([dims, axes]) => {
      const size = sizeOf(axes.map((axis) => dims[axis]!));
      return lanesFor(sizeOf(dims) / size, size);
    });
    expect(new Set(lanes)).toEqual(new Set([1, 64]));
  });
});
