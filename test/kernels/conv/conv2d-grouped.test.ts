import { describe, expect, it } from 'vitest';
import { conv2dGrouped } from '../../../src/kernels/conv/conv2d-grouped.ts';
import { checkConv } from '../support/check-conv.ts';
import { convCase, convCases, named } from '../support/conv-cases.ts';

describe('conv2d-grouped', () => {
  it('states its bindings and workgroups', () => {
    const { spec } = convCase([6, 9], [8, 9], { kernel: [3, 3], pads: 1, group: 3, batch: 2 });
    const { bindingBytes, workgroups } = conv2dGrouped(spec);
    // 9·2·3·3 weights are a multiple of neither 4 nor 8
    expect(bindingBytes).toEqual([2 * 2 * 72 * 16, 656, 48, 16, 2 * 3 * 72 * 16]);
    expect(workgroups).toEqual([2, 3, 2]);
  });

  // the general kernel: dense and depthwise are groupings too
  it.each(named(convCases))('%s', async (_, conv) => {
    await checkConv(conv, conv2dGrouped(conv.spec), (weights) => weights);
  });
});
