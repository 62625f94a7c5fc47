import { describe, it } from 'vitest';
import { octets } from '../../../src/kernels/conv/weight-orders.ts';
import { conv2dSplit } from '../../../src/kernels/hardware/conv2d-split.ts';
import type { SplitTile } from '../../../src/kernels/hardware/split-cost.ts';
import { checkConv } from '../support/check-conv.ts';
import { convCase, convCases, named } from '../support/conv-cases.ts';

const dense = convCases.filter(({ spec }) => spec.group === 1);

/** Of taps that are split, `conv2d.test.ts` runs every case. */
const WHOLE: SplitTile = { pixels: 1, blocks: 1, lanes: 16, slices: 1, split: 1, unroll: 1 };
function check(conv: (typeof dense)[number], tile: SplitTile) {
  return checkConv(conv, conv2dSplit(conv.spec, tile), octets.pack);
}

describe('taps in one invocation', () => {
  it.each(named(dense))('%s', (_, conv) => check(conv, WHOLE));
});

describe('tiles', () => {
  const pointwise = convCase([30, 22], [5, 7], { upsample: 1, activation: { kind: 'relu' }, batch: 2 });
  const window = convCase([9, 22], [7, 5], { kernel: [3, 3], pads: 1, strides: [2, 2], batch: 2 });
  it.each<SplitTile>([
    { pixels: 1, blocks: 2, lanes: 4, slices: 4, split: 5, unroll: 1 },
    { pixels: 4, blocks: 1, lanes: 16, slices: 1, split: 16, unroll: 2 },
    { pixels: 8, blocks: 1, lanes: 4, slices: 2, split: 4, unroll: 4 },
    { pixels: 2, blocks: 2, lanes: 16, slices: 1, split: 12, unroll: 4 },
  ])('%o', async (tile) => {
    await check(pointwise, tile);
    await check(window, { ...tile, unroll: 3 });
  });

  it('take all of a kernel in one step', async () => {
    await check(window, { pixels: 2, blocks: 2, lanes: 8, slices: 1, split: 2, unroll: 9 });
  });
});
