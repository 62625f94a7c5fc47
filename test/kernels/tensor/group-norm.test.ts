import { describe, expect, it } from 'vitest';
import { toHalf, widenFloat16 } from '../../../src/common/float16.ts';
import { type Activation, NO_ACTIVATION } from '../../../src/kernels/activation.ts';
import { type Dispatch, withHalfImages } from '../../../src/kernels/dispatch.ts';
import { type GroupNormSpec, groupNorm, groupNormSplit, splitsGroups } from '../../../src/kernels/tensor/group-norm.ts';
import { expectClose } from '../../support/compare.ts';
import { openGpu, unpackOnCpu } from '../../support/gpu.ts';
import { groupNorm as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { referenceActivation } from '../support/activations.ts';
import { type Dims4, packImage } from '../support/images.ts';
import { runSteps, type Step } from '../support/run-steps.ts';

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
  // more parts than a workgroup has invocations
  normCase([1, 257, 8, 9], 1, { mean: 1000 }),
  normCase([1, 8, 40, 40], 1, { outlier: 1000 }),
  normCase([2, 8, 1, 3], 2, { mean: 16384, outlier: -100 }),
];

function titleOf({ dims, groups, mean, outlier, epsilon, activation }: Case): string {
  const perGroup = dims[1] / groups;
  const end = activation.kind === 'none' ? '' : ` ${activation.kind}`;
  const odd = outlier === 0 ? '' : ` but ${mean + outlier}`;
  return `${dims.join('×')}, ${groups} groups of ${perGroup}, mean ${mean}${odd}, epsilon ${epsilon}${end}`;
}

const VARIANTS: Readonly<Record<string, (spec: GroupNormSpec) => readonly Step[]>> = {
  'one launch': (spec) => [{ dispatch: groupNorm(spec), buffers: ['input', 'affine', 'output'] }],
  'two launches': (spec) => {
    const [sums, scale] = groupNormSplit(spec);
    return [
      { dispatch: sums, buffers: ['input', 'sums'] },
      { dispatch: scale, buffers: ['input', 'affine', 'sums', 'output'] },
    ];
  },
};

function randomCase({ dims, mean, outlier }: Case, half: boolean) {
  const rng = createRng(1);
  const values = rng.floats(dims[0] * dims[1] * dims[2] * dims[3], mean - 2, mean + 2);
  for (let n = 0; n < dims[0]; n++) values[(n * values.length) / dims[0]]! += outlier;
  const image = packImage(half ? widenFloat16(toHalf(values)) : values, dims);
  return { image, scale: rng.floats(dims[1], 0.5, 1.5), shift: rng.floats(dims[1]) };
}

const halved = (dispatch: Dispatch) =>
  withHalfImages(dispatch, { inputs: true, output: dispatch.kernel !== 'group-norm-sums' });

describe.each(Object.entries(VARIANTS))('groupNorm in %s', async (_, stepsOf) => {
  const { device } = await openGpu();

  async function check(example: Case, layout: 'packed' | 'plain', half: boolean): Promise<Uint8Array> {
    const { dims, groups, epsilon, activation } = example;
    const [batch, channels, height, width] = dims;
    const { image, scale, shift } = randomCase(example, half);
    const spec = { batch, channels, planeSize: height * width, groups, epsilon, layout, activation };
    const steps = stepsOf(spec).map((step) => (half ? { ...step, dispatch: halved(step.dispatch) } : step));
    const values = layout === 'packed' ? image.packed : image.data;
    const input = half ? toHalf(values) : values;
    const { output } = await runSteps(steps, { input, affine: new Float32Array([...scale, ...shift]) }, ['output']);
    const stored = half ? widenFloat16(new Uint16Array(output)) : new Float32Array(output);
    const size = batch * channels * height * width;
    const plain = layout === 'packed' ? unpackOnCpu(stored, dims) : stored.subarray(0, size);
    const expected = referenceActivation(reference(image, groups, scale, shift, epsilon), activation).data;
    expectClose(plain, expected, {
      abs: 2e-6,
      // what is subtracted from a number rounds by half an ULP of the difference, and so do the square root and the products
      rel: half ? 2 ** -11 + 2e-6 : 1e-6,
      reason: `float32 sums of differences from the mean: they round by the spread, not by the mean${half ? '; a half float' : ''}`,
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

describe.each(['packed', 'plain'] as const)('%s', (layout) => {
  const spec = { batch: 2, channels: 6, planeSize: 15, groups: 3, epsilon: 0, layout, activation: NO_ACTIVATION };
  const bytes = layout === 'packed' ? 2 * 2 * 15 * 16 : 2 * 6 * 15 * 4;

  it('states its bindings and workgroups', () => {
    const { bindingBytes, workgroups } = groupNorm(spec);
    expect(bindingBytes).toEqual([bytes, 48, bytes]);
    expect(workgroups).toEqual([3, 2, 1]);
  });

  it('states those of two launches', () => {
    const parts = layout === 'packed' ? 1 : 2;
    const [sums, scale] = groupNormSplit(spec);
    expect(sums.bindingBytes).toEqual([bytes, 2 * 3 * parts * 16]);
    expect(scale.bindingBytes).toEqual([bytes, 48, 2 * 3 * parts * 16, bytes]);
    for (const { workgroups } of [sums, scale]) expect(workgroups).toEqual([parts, 3, 2]);
  });
});

describe('splitsGroups', () => {
  const hardware = { software: false, subgroupSize: 0 };
  const tower = {
    batch: 1,
    channels: 256,
    groups: 32,
    epsilon: 1e-5,
    layout: 'packed',
    activation: NO_ACTIVATION,
  } as const;

  it.each([
    [60 * 80, true],
    [15 * 20, true],
    [10 * 10, false],
  ])('groups of 8 planes of %i on hardware: %s', (planeSize, splits) => {
    expect(splitsGroups({ ...tower, planeSize }, hardware)).toBe(splits);
  });

  it('none on the CPU', () => {
    expect(splitsGroups({ ...tower, planeSize: 60 * 80 }, { software: true, subgroupSize: 8 })).toBe(false);
  });
});
