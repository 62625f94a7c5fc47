import { describe, expect, it } from 'vitest';
import type { ConvSpec } from '../../../src/kernels/conv/spec.ts';
import type { Dispatch } from '../../../src/kernels/dispatch.ts';
import { convLane } from '../../../src/kernels/software/conv2d-lane.ts';
import {
  isWinograd,
  packWinogradWeights,
  type WinogradSteps,
  winograd,
  winogradBytes,
  withOwnWeights,
} from '../../../src/kernels/software/winograd.ts';
import { openGpu } from '../../support/gpu.ts';
import { checkConvSteps, type PackWeights } from '../support/check-conv.ts';
import { convCases, named } from '../support/conv-cases.ts';
import type { Step } from '../support/run-steps.ts';

/**
 * Bᵀ multiplies by up to 4.5 and Aᵀ by up to 7.4 what later cancels, in both directions; errors being random,
 * outputs show a small part of that: 1.5 times a plain sum's errors at most, over all cases.
 */
const AMPLIFICATION = 3;

const pack: PackWeights = (weights, { outChannels, inChannels }) =>
  packWinogradWeights(weights, outChannels, inChannels);

function stepsOf({ input, product, output }: WinogradSteps, multiply: (product: ConvSpec) => Dispatch): Step[] {
  return [
    { dispatch: input, buffers: ['input', 'windows'] },
    {
      dispatch: withOwnWeights(multiply(product), product),
      buffers: ['windows', 'weights', 'zeros', 'unused', 'products'],
    },
    { dispatch: output, buffers: ['products', 'bias', 'residual', 'output'] },
  ];
}

const { traits } = await openGpu();
const possible = convCases.filter(({ spec }) => isWinograd(spec));

describe('winograd', () => {
  it('has cases', () => expect(possible.length).toBeGreaterThan(6));

  it.skipIf(traits.subgroupSize < 4).each(named(possible))('%s', async (_, conv) => {
    const steps = stepsOf(winograd(conv.spec), (product) => convLane(product, traits.subgroupSize));
    await checkConvSteps(conv, steps, pack, AMPLIFICATION);
  });

  it.each(named(possible))('states what it binds and launches: %s', (_, { spec }) => {
    const { input, product, output } = winograd(spec);
    const { bindingBytes } = withOwnWeights(convLane(product, 8), product);
    const { batch, inChannels, outChannels, outHeight, outWidth } = spec;
    const tiles = batch * Math.ceil(outHeight / 4) * Math.ceil(outWidth / 4);
    const windows = 36 * tiles * Math.ceil(inChannels / 4) * 16;
    const products = 36 * tiles * Math.ceil(outChannels / 4) * 16;
    expect(input.bindingBytes.at(-1)).toBe(windows);
    expect(winogradBytes(spec)).toBe(Math.max(windows, products));
    const weights = pack(new Float32Array(outChannels * inChannels * 9), spec).byteLength;
    expect(bindingBytes).toEqual([windows, weights, Math.ceil(outChannels / 4) * 16, 16, products]);
    expect(output.bindingBytes[0]).toBe(products);
    expect([input.flops, output.flops]).toEqual([undefined, undefined]);
  });

  it('is for dense 3×3 convolutions of stride 1 that are not dilated', () => {
    const { spec } = possible[0]!;
    const others: Partial<ConvSpec>[] = [
      { kernel: [3, 1] },
      { kernel: [5, 5] },
      { strides: [1, 2] },
      { dilations: [2, 1] },
      { group: 2 },
    ];
    expect(isWinograd(spec)).toBe(true);
    for (const other of others) expect(isWinograd({ ...spec, ...other })).toBe(false);
  });
});

describe('packWinogradWeights', () => {
  it('transforms a filter in both directions', () => {
    const packed = packWinogradWeights(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 1, 1);
    // one value a position, at the place of the first channels
    const found = Array.from({ length: 36 }, (_, i) => packed[i * 32]!);
    // a filter as a polynomial in x and y, 1 + 2x + 3x² + y(4 + 5x + 6x²) + y²(7 + 8x + 9x²), at the points
    const points = [0, Math.SQRT1_2, -Math.SQRT1_2, Math.SQRT2, -Math.SQRT2];
    // by what the differences to the other points multiply to: p·2p·(p² - q²), at 0 the product of all others
    const factors = [1, -1.5, -1.5, 6, 6];
    const row = (a: number, b: number, c: number) =>
      points.map((p, i) => (a + b * p + c * p * p) / factors[i]!).concat(c);
    const columns = [0, 1, 2].map((x) => row(1 + x, 4 + x, 7 + x));
    for (let y = 0; y < 6; y++) {
      row(columns[0]![y]!, columns[1]![y]!, columns[2]![y]!).forEach((value, x) => {
        expect(found[y * 6 + x]).toBeCloseTo(value, 5);
      });
    }
    expect(packed.filter((value) => value !== 0).length).toBeLessThanOrEqual(36);
  });
});
