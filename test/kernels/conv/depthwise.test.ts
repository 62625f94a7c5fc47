import { describe, expect, it } from 'vitest';
import { depthwise, packDepthwiseWeights } from '../../../src/kernels/conv/depthwise.ts';
import { depthwiseColumns } from '../../../src/kernels/hardware/depthwise-columns.ts';
import { depthwiseRows, slidesByRows } from '../../../src/kernels/software/depthwise-rows.ts';
import { checkConv, type PackWeights } from '../support/check-conv.ts';
import { convCase, convCases, isDepthwise, named } from '../support/conv-cases.ts';

const pack: PackWeights = (weights, { outChannels, kernel }) => packDepthwiseWeights(weights, outChannels, kernel);

describe('depthwise', () => {
  it('states its bindings and workgroups', () => {
    const { spec } = convCase([6, 6], [9, 15], { kernel: [3, 5], pads: [1, 2, 1, 2], group: 6, upsample: 1, batch: 2 });
    const { bindingBytes, workgroups } = depthwise(spec);
    const image = 2 * 2 * 9 * 15 * 16;
    expect(bindingBytes).toEqual([image, 2 * 15 * 16, 32, image, image]);
    expect(workgroups).toEqual([3, 2, 2]);
  });

  it.each(named(convCases.filter(isDepthwise)))('%s', async (_, conv) => {
    await checkConv(conv, depthwise(conv.spec), pack);
  });
});

describe.each([
  [1, 64],
  [4, 32],
])('depthwiseColumns, %i rows', (rows, workgroup) => {
  it.each(named(convCases.filter(isDepthwise)))('%s', async (_, conv) => {
    await checkConv(conv, depthwiseColumns(conv.spec, { rows, workgroup }), pack);
  });
});

describe('depthwiseRows', () => {
  const cases = convCases.filter((conv) => isDepthwise(conv) && slidesByRows(conv.spec));

  it('has cases', () => expect(cases.length).toBeGreaterThan(3));

  it.each(named(cases))('%s', async (_, conv) => {
    await checkConv(conv, depthwiseRows(conv.spec), pack);
  });
});

describe('packDepthwiseWeights', () => {
  it.each([1, 4, 5])('puts %i channels in lanes, and zeros behind them', (channels) => {
    const weights = new Float32Array(channels * 6).map((_, i) => i + 1);
    const packed = packDepthwiseWeights(weights, channels, [2, 3]);
    expect(packed.length).toBe(Math.ceil(channels / 4) * 24);
    packed.forEach((value, i) => {
      const channel = Math.floor(i / 24) * 4 + (i % 4);
      expect(value).toBe(channel < channels ? channel * 6 + (Math.floor(i / 4) % 6) + 1 : 0);
    });
  });
});
