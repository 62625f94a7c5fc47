import { describe, expect, it } from 'vitest';
import { packChannels } from '../../../src/kernels/conv/spec.ts';
import { byChannels, octets } from '../../../src/kernels/conv/weight-orders.ts';
import { conv2dSplit } from '../../../src/kernels/hardware/conv2d-split.ts';
import { depthwiseColumns } from '../../../src/kernels/hardware/depthwise-columns.ts';
import { packSeparableBiases, packSeparableWeights, separable } from '../../../src/kernels/hardware/separable.ts';
import type { SplitTile } from '../../../src/kernels/hardware/split-cost.ts';
import { createRng } from '../../support/rng.ts';
import { convCase } from '../support/conv-cases.ts';
import { runSteps } from '../support/run-steps.ts';

interface Options extends NonNullable<Parameters<typeof convCase>[2]> {
  /** Of the pointwise convolution. */
  readonly pointwise?: Parameters<typeof convCase>[2];
}

function separableCase(channels: number, out: number, map: readonly [number, number], options: Options) {
  const { pointwise: own, ...rest } = options;
  const { spec: depthwise } = convCase([channels, channels], map, { ...rest, group: channels });
  const { outHeight, outWidth } = depthwise;
  const { batch } = options;
  const { spec: pointwise } = convCase([channels, out], [outHeight, outWidth], { ...(batch && { batch }), ...own });
  return { depthwise, pointwise };
}

const small: SplitTile = { pixels: 1, blocks: 1, lanes: 4, slices: 2, split: 1, unroll: 1 };
const relu = { kind: 'relu' } as const;

describe('a depthwise and a pointwise convolution in one launch have the bits of two', () => {
  it.each([
    [
      '3×3',
      separableCase(8, 12, [6, 7], { kernel: [3, 3], pads: 1, activation: relu, pointwise: { activation: relu } }),
      small,
    ],
    [
      'channels in no whole blocks, ways',
      separableCase(22, 9, [5, 6], { kernel: [3, 3], pads: 1 }),
      { ...small, split: 4 },
    ],
    [
      'stride 2, a batch',
      separableCase(5, 6, [9, 8], { kernel: [3, 3], pads: 1, strides: [2, 2], batch: 3 }),
      { ...small, pixels: 2 },
    ],
    [
      '5×3, dilated, a residual of half the size',
      separableCase(6, 5, [8, 10], {
        kernel: [5, 3],
        pads: [4, 1, 4, 1],
        dilations: [2, 1],
        activation: { kind: 'clip', low: -0.2, high: 0.4 },
        pointwise: { upsample: 2, activation: { kind: 'sigmoid' } },
      }),
      { ...small, lanes: 8, slices: 1, split: 2 },
    ],
  ] as const)('%s', async (_, spec, tile) => {
    const { depthwise, pointwise } = spec;
    const rng = createRng(5);
    const filters = rng.floats(depthwise.outChannels * depthwise.kernel[0] * depthwise.kernel[1]);
    const weights = rng.floats(pointwise.outChannels * pointwise.inChannels);
    const [offsets, bias] = [rng.floats(depthwise.outChannels), rng.floats(pointwise.outChannels)];
    const images = { input: rng.floats(3000), residual: rng.floats(3000) };
    const first = depthwiseColumns(depthwise, { rows: 1, workgroup: 32 });
    const second = conv2dSplit(pointwise, { ...tile, pixels: 1 });
    const apart = await runSteps(
      [
        { dispatch: first, buffers: ['input', 'filters', 'offsets', 'input', 'between'] },
        { dispatch: second, buffers: ['between', 'weights', 'bias', 'residual', 'output'] },
      ],
      {
        ...images,
        filters: byChannels.pack(filters, depthwise),
        offsets: packChannels(offsets, depthwise.outChannels),
        weights: octets.pack(weights, pointwise),
        bias: packChannels(bias, pointwise.outChannels),
      },
      ['output'],
    );
    const together = await runSteps(
      [{ dispatch: separable(spec, tile), buffers: ['input', 'weights', 'bias', 'residual', 'output'] }],
      {
        ...images,
        weights: packSeparableWeights(spec, filters, weights),
        bias: packSeparableBiases(spec, offsets, bias),
      },
      ['output'],
    );
    const [expected, got] = [apart, together].map(({ output }) => new Float32Array(output));
    expect(expected!.some((value) => Math.abs(value) > 0.1)).toBe(true);
    expect(got).toEqual(expected);
  });
});
