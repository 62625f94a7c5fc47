import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/common/tensor.ts';
import { softmax } from '../../../src/kernels/tensor/softmax.ts';
import { expectClose } from '../../support/compare.ts';
import { softmax as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

const CASES: readonly (readonly [axis: number, dims: readonly number[], lo: number, hi: number])[] = [
  [0, [1], -1, 1],
  [0, [100], -1, 1],
  [0, [7, 30], -5, 5],
  [1, [7, 30], -5, 5],
  [1, [3, 4, 25], -5, 5],
  [2, [2, 5, 9, 4], -5, 5],
  [3, [2, 3, 4, 2], -100, 100],
  [1, [2, 6, 5], 1e4, 1e4 + 10],
  [0, [5, 13], -1e30, 1e30],
];

describe('softmax', () => {
  it.each(CASES.map(([axis, dims, lo, hi]) => [axis, dims.join('×'), lo, hi, dims] as const))(
    'axis %i of %s, numbers from %d to %d',
    async (axis, _, lo, hi, dims) => {
      const data = createRng(1).floats(sizeOf(dims), lo, hi);
      const dispatch = softmax(sizeOf(dims.slice(0, axis)), dims[axis]!, sizeOf(dims.slice(axis + 1)));
      const output = new Float32Array(await runDispatch(dispatch, [data])).subarray(0, data.length);
      expectClose(output, reference({ dims, data }, axis).data, {
        abs: 1e-6,
        reason: 'WGSL exp(x) is within 3 + 2|x| ULP, and x·exp(x) below 1; a sum of positive numbers, a division',
      });
    },
  );

  it('gives equal numbers equal parts', async () => {
    const output = new Float32Array(await runDispatch(softmax(1, 4, 1), [new Float32Array(4).fill(3e38)]));
    expect(Array.from(output)).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
});
