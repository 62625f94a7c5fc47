import { describe, expect, it } from 'vitest';
import { toHalf, widenFloat16 } from '../../../src/common/float16.ts';
import { type Activation, NO_ACTIVATION } from '../../../src/kernels/activation.ts';
import { type AdapterTraits, withHalfImages } from '../../../src/kernels/dispatch.ts';
import { groupNorm } from '../../../src/kernels/tensor/group-norm.ts';
import { expectClose } from '../../support/compare.ts';
import { openGpu, unpackOnCpu } from '../../support/gpu.ts';
import { groupNorm as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { referenceActivation } from '../support/activations.ts';
import { type Dims4, packImage } from '../support/images.ts';
import { runSteps } from '../support/run-steps.ts';

interface Case {
  readonly dims: Dims4;
  readonly groups: number;
  readonly mean: number;
  /** Added to the first number of every picture. */
  readonly outlier: number;
  readonly epsilon: number;
  readonly activation: Activation;
}

function normCase(dims: Dims4, groups: number, options: Partial<Case> = {}): Case {
  return { dims, groups, mean: 0, outlier: 0, epsilon: 1e-5, activation: NO_ACTIVATION, ...options };
}

const CASES: readonly Case[] = [
  normCase([1, 1, 3, 3], 1),
  normCase([1, 5, 7, 9], 5),
  normCase([2, 6, 8, 8], 6, { activation: { kind: 'relu' } }),
  normCase([1, 8, 5, 5], 2),
  normCase([2, 15, 4, 6], 3, { activation: { kind: 'leakyRelu', slope: 0.2 } }),
  normCase([1, 36, 10, 13], 3, { activation: { kind: 'clip', low: 0, high: 1 } }),
  normCase([3, 10, 3, 4], 1),
  normCase([1, 16, 20, 20], 4, { epsilon: 0.5 }),
  normCase([1, 4, 1, 1], 1),
  normCase([1, 4, 1, 1], 4),
  normCase([1, 12, 16, 16], 3, { mean: 1000 }),
  normCase([2, 3, 9, 7], 3, { mean: -1000 }),
  // several parts a row, and groups of several rows that begin and end within a block
  normCase([1, 16, 24, 31], 2, { activation: { kind: 'relu' } }),
  normCase([3, 18, 33, 37], 3, { mean: -1000 }),
  normCase([3, 14, 13, 40], 7, { mean: 300, activation: { kind: 'leakyRelu', slope: 0.1 } }),
  // one group of many channels; more parts than a workgroup has invocations
  normCase([1, 257, 8, 9], 1, { mean: 1000 }),
  normCase([1, 64, 130, 130], 1, { mean: 100 }),
  normCase([1, 8, 40, 40], 1, { outlier: 1000 }),
  normCase([2, 8, 1, 3], 2, { mean: 16384, outlier: -100 }),
];

function titleOf({ dims, groups, mean, outlier, epsilon, activation }: Case): string {
  const perGroup = dims[1] / groups;
  const end = activation.kind === 'none' ? '' : ` ${activation.kind}`;
  const odd = outlier === 0 ? '' : ` but ${mean + outlier}`;
  return `${dims.join('×')}, ${groups} groups of ${perGroup}, mean ${mean}${odd}, epsilon ${epsilon}${end}`;
}

const HARDWARE: AdapterTraits = { software: false, subgroupSize: 0 };
const SOFTWARE: AdapterTraits = { software: true, subgroupSize: 8 };

function randomCase({ dims, mean, outlier }: Case, half: boolean) {
  const rng = createRng(1);
  const values = rng.floats(dims[0] * dims[1] * dims[2] * dims[3], mean - 2, mean + 2);
  for (let n = 0; n < dims[0]; n++) values[(n * values.length) / dims[0]]! += outlier;
  const image = packImage(half ? widenFloat16(toHalf(values)) : values, dims);
  return { image, scale: rng.floats(dims[1], 0.5, 1.5), shift: rng.floats(dims[1]) };
}

describe.each([
  ['hardware', HARDWARE],
  ['software', SOFTWARE],
] as const)('groupNorm as on %s', async (_, traits) => {
  const { device } = await openGpu();

  async function check(example: Case, layout: 'packed' | 'plain', half: boolean): Promise<Uint8Array> {
    const { dims, groups, epsilon, activation } = example;
    const [batch, channels, height, width] = dims;
    const { image, scale, shift } = randomCase(example, half);
    const spec = { batch, channels, planeSize: height * width, groups, epsilon, layout, activation };
    const [first, second] = groupNorm(spec, traits);
    const steps = [
      { dispatch: withHalfImages(first, { inputs: half, output: false }), buffers: ['input', 'parts'] },
      {
        dispatch: withHalfImages(second, { inputs: half, output: half }),
        buffers: ['input', 'affine', 'parts', 'output'],
      },
    ];
    const values = layout === 'packed' ? image.packed : image.data;
    const input = half ? toHalf(values) : values;
    const { output } = await runSteps(steps, { input, affine: new Float32Array([...scale, ...shift]) }, ['output']);
    const stored = half ? widenFloat16(new Uint16Array(output)) : new Float32Array(output);
    const size = batch * channels * height * width;
    const plain = layout === 'packed' ? unpackOnCpu(stored, dims) : stored.subarray(0, size);
    const expected = referenceActivation(reference(image, groups, scale, shift, epsilon), activation).data;
    expectClose(plain, expected, {
      abs: 2e-6,
      // sums and products a few roundings of 2^-24, a division of 2.5 ULP, an inverse square root of 2 ULP, as WGSL allows
      rel: half ? 2 ** -11 + 1e-6 : 1e-6,
      // a mean of 1000, as a float32 sum times 1/count, is off by 9e-5: it must not be what is subtracted
      reason: `float32 differences, which round by the spread whatever the mean${half ? '; a half float' : ''}`,
    });
    return new Uint8Array(output);
  }

  describe.each(['packed', 'plain'] as const)('%s', (layout) => {
    it.each(CASES.map((c) => [titleOf(c), c] as const))('%s', async (_, example) => {
      await check(example, layout, false);
    });

    const half = CASES.filter(({ mean, outlier }) => mean === 0 && outlier === 0);
    it.skipIf(!device.features.has('shader-f16')).each(half.map((c) => [titleOf(c), c] as const))(
      'half floats: %s',
      async (_, example) => {
        await check(example, layout, true);
      },
    );

    it('gives the same bits every time', async () => {
      const example = normCase([2, 16, 24, 31], 2);
      const first = await check(example, layout, false);
      for (let i = 0; i < 5; i++) expect(await check(example, layout, false)).toEqual(first);
    });
  });
});

describe('launches', () => {
  const tower = { batch: 2, channels: 256, groups: 32, epsilon: 1e-5, activation: NO_ACTIVATION } as const;

  it.each([
    ['60×80 on hardware, parts of 128 pixels', 60 * 80, HARDWARE, 38],
    ['10×10 on hardware', 10 * 10, HARDWARE, 1],
    ['60×80 on software', 60 * 80, SOFTWARE, 1],
  ])('%s', (_, planeSize, traits, parts) => {
    const [sums, scale] = groupNorm({ ...tower, planeSize, layout: 'packed' }, traits);
    const bytes = 2 * 256 * planeSize * 4;
    expect(sums.bindingBytes).toEqual([bytes, 2 * 32 * parts * 16]);
    expect(scale.bindingBytes).toEqual([bytes, 2 * 256 * 4, 2 * 32 * parts * 16, bytes]);
    for (const { workgroups } of [sums, scale]) expect(workgroups).toEqual([parts, 32, 2]);
  });

  it.each([
    ['packed', 2 * 2 * 15 * 16],
    ['plain', 2 * 6 * 15 * 4],
  ] as const)('bind whole images, %s', (layout, bytes) => {
    const [sums, scale] = groupNorm({ ...tower, channels: 6, groups: 3, planeSize: 15, layout }, HARDWARE);
    expect([sums.bindingBytes[0], scale.bindingBytes[0], scale.bindingBytes[3]]).toEqual([bytes, bytes, bytes]);
  });
});
