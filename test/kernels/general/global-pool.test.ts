import { describe, expect, it } from 'vitest';
import { MAX_WORKGROUPS } from '../../../src/kernels/dispatch.ts';
import { globalPool } from '../../../src/kernels/general/global-pool.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { globalAveragePool, globalMaxPool } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { type Dims4, randomImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

const CASES: readonly Dims4[] = [
  [1, 1, 1, 1],
  [1, 4, 7, 9],
  [2, 5, 8, 8],
  [3, 2, 5, 13],
  [1, 30, 33, 31],
  [1, 3, 1, 1000],
];

describe.each(['max', 'average'] as const)('global-pool %s', (kind) => {
  it.each(CASES.map((dims) => [dims.join('×'), dims] as const))('%s', async (_, dims) => {
    const [batch, channels, height, width] = dims;
    // all below zero: a maximum that starts at 0 would show
    const image = randomImage(createRng(1), dims, -2, -1);
    const output = new Float32Array(
      await runDispatch(globalPool({ kind, batch, channels, height, width }), [image.packed]),
    );
    const expected = kind === 'max' ? globalMaxPool(image) : globalAveragePool(image);
    expectClose(unpackOnCpu(output, [batch, channels, 1, 1]), expected.data, {
      rel: kind === 'max' ? 0 : (Math.ceil((height * width) / 64) + 8) * 2 ** -24,
      reason: kind === 'max' ? 'exact' : '64 float32 partial sums, 6 merges, a division of 2.5 ULP; all of one sign',
    });
  });
});

it('goes on in a second row of workgroups', async () => {
  const channels = (MAX_WORKGROUPS + 3) * 4;
  const spec = { kind: 'max', batch: 1, channels, height: 1, width: 1 } as const;
  expect(globalPool(spec).workgroups).toEqual([MAX_WORKGROUPS, 2, 1]);
  const image = randomImage(createRng(2), [1, channels, 1, 1]);
  const output = new Float32Array(await runDispatch(globalPool(spec), [image.packed]));
  expect(output.findIndex((value, i) => value !== image.data[i])).toBe(-1);
});
