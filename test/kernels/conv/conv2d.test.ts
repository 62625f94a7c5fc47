import { describe, expect, it } from 'vitest';
import { packConvWeights } from '../../../src/kernels/conv/octets.ts';
import type { ConvSpec } from '../../../src/kernels/conv/spec.ts';
import { type AdapterTraits, type Dispatch, MAX_WORKGROUPS } from '../../../src/kernels/dispatch.ts';
import { conv2dSplit } from '../../../src/kernels/hardware/conv2d-split.ts';
import { packedBytes } from '../../../src/kernels/nc4hw4.ts';
import { conv2dDirect } from '../../../src/kernels/software/conv2d-direct.ts';
import { convLane } from '../../../src/kernels/software/conv2d-lane.ts';
import { openGpu } from '../../support/gpu.ts';
import { checkConv, type PackWeights } from '../support/check-conv.ts';
import { type ConvCase, convCases, named } from '../support/conv-cases.ts';

interface Variant {
  readonly name: string;
  supports(conv: ConvCase, traits: AdapterTraits): boolean;
  dispatch(spec: ConvSpec, traits: AdapterTraits): Dispatch;
  readonly pack: PackWeights;
}

const octets: PackWeights = (weights, spec) => packConvWeights(weights, spec.outChannels, spec.inChannels, spec.kernel);
const hasLanes = (_: ConvCase, { subgroupSize }: AdapterTraits) => subgroupSize >= 4;

/** A tile with little code: software rasterisers take seconds to compile what waits for other invocations. */
const splitByColumns = (spec: ConvSpec) =>
  conv2dSplit(spec, { pixels: 2, blocks: 1, lanes: 8, slices: 1, split: 3, unroll: spec.kernel[0] });

const variants: readonly Variant[] = [
  { name: 'conv2dDirect', supports: () => true, dispatch: conv2dDirect, pack: octets },
  { name: 'conv2dSplit', supports: () => true, dispatch: splitByColumns, pack: octets },
  { name: 'convLane', supports: hasLanes, dispatch: (spec, t) => convLane(spec, t.subgroupSize), pack: octets },
];

const { traits } = await openGpu();
const dense = convCases.filter(({ spec }) => spec.group === 1);

describe.each(variants)('$name', (variant) => {
  const ideal: AdapterTraits = { software: true, subgroupSize: 8 };
  const possible = dense.filter((conv) => variant.supports(conv, ideal));

  it('has cases', () => expect(possible.length).toBeGreaterThan(3));

  it.each(named(possible))('states what it binds and launches: %s', (_, { spec }) => {
    const dispatch = variant.dispatch(spec, ideal);
    const { batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth, upsample } = spec;
    const [input, weights, bias, residual, output, ...more] = dispatch.bindingBytes;
    expect(more).toEqual([]);
    expect(input).toBe(packedBytes(batch, inChannels, inHeight, inWidth));
    expect(output).toBe(packedBytes(batch, outChannels, outHeight, outWidth));
    expect(bias).toBe(Math.ceil(outChannels / 4) * 16);
    expect(residual).toBe(upsample === 0 ? 16 : output! / upsample ** 2);
    const values = new Float32Array(outChannels * inChannels * spec.kernel[0] * spec.kernel[1]);
    expect(weights).toBe(variant.pack(values, spec).byteLength);
    expect(dispatch.workgroups.every((count) => count >= 1 && count <= MAX_WORKGROUPS)).toBe(true);
    expect(dispatch.params.byteLength % 16).toBe(0);
  });

  for (const conv of possible) {
    it.skipIf(!variant.supports(conv, traits))(conv.name, async () => {
      await checkConv(conv, variant.dispatch(conv.spec, traits), variant.pack);
    });
  }
});

describe('packConvWeights', () => {
  it.each([
    [1, 1, 1, 1],
    [8, 4, 3, 3],
    [9, 5, 2, 3],
    [30, 56, 3, 3],
  ])('puts every weight in its place, and zeros elsewhere: %i×%i×%i×%i', (out, channels, height, width) => {
    const taps = height * width;
    const weights = new Float32Array(out * channels * taps).map((_, i) => i + 1);
    const packed = packConvWeights(weights, out, channels, [height, width]);
    const blocks = Math.ceil(channels / 4);
    const found = new Float32Array(weights.length);
    packed.forEach((value, i) => {
      if (value === 0) return;
      // [out/8][in/4][tap][2][4 in][4 out]
      const channel = (Math.floor(i / 32 / taps) % blocks) * 4 + (Math.floor(i / 4) % 4);
      const o = Math.floor(i / 32 / taps / blocks) * 8 + (Math.floor(i / 16) % 2) * 4 + (i % 4);
      const tap = Math.floor(i / 32) % taps;
      found[(o * channels + channel) * taps + tap] = value;
    });
    expect(found).toEqual(weights);
    expect(packed.filter((value) => value !== 0).length).toBe(weights.length);
  });
});
