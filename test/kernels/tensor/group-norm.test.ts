import { describe, expect, it } from 'vitest';
import { type Activation, NO_ACTIVATION } from '../../../src/kernels/activation.ts';
import { groupNorm } from '../../../src/kernels/tensor/group-norm.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { instanceNorm, groupNorm as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { referenceActivation } from '../support/activations.ts';
import { type Dims4, randomImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

interface Case {
  readonly dims: Dims4;
  readonly groups: number;
  readonly mean: number;
  readonly epsilon: number;
  readonly activation: Activation;
}

function normCase(dims: Dims4, groups: number, options: Partial<Case> = {}): Case {
  return { dims, groups, mean: 0, epsilon: 1e-5, activation: NO_ACTIVATION, ...options };
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
];

function titleOf({ dims, groups, mean, epsilon, activation }: Case): string {
  const perGroup = dims[1] / groups;
  const end = activation.kind === 'none' ? '' : ` ${activation.kind}`;
  return `${dims.join('×')}, ${groups} groups of ${perGroup}, mean ${mean}, epsilon ${epsilon}${end}`;
}

describe.each(['packed', 'plain'] as const)('groupNorm, %s', (layout) => {
  it.each(CASES.map((c) => [titleOf(c), c] as const))('%s', async (_, { dims, groups, mean, epsilon, activation }) => {
    const [batch, channels, height, width] = dims;
    const rng = createRng(1);
    const image = randomImage(rng, dims, mean - 2, mean + 2);
    const scale = rng.floats(channels, 0.5, 1.5);
    const shift = rng.floats(channels);
    const affine = new Float32Array([...scale, ...shift]);
    const planeSize = height * width;
    const dispatch = groupNorm({ batch, channels, planeSize, groups, epsilon, layout, activation });
    const output = new Float32Array(
      await runDispatch(dispatch, [layout === 'packed' ? image.packed : image.data, affine]),
    );
    const plain = layout === 'packed' ? unpackOnCpu(output, dims) : output.subarray(0, image.data.length);
    const normed =
      groups === channels
        ? instanceNorm(image, scale, shift, epsilon)
        : reference(image, groups, scale, shift, epsilon);
    expectClose(plain, referenceActivation(normed, activation).data, {
      abs: 2e-6 + Math.abs(mean) * 2 ** -23,
      reason: 'float32 mean and variance; a large mean is off by an ULP of its own',
    });
  });

  it('states its bindings and workgroups', () => {
    const spec = { batch: 2, channels: 6, planeSize: 15, groups: 3, epsilon: 0, layout, activation: NO_ACTIVATION };
    const { bindingBytes, workgroups } = groupNorm(spec);
    const bytes = layout === 'packed' ? 2 * 2 * 15 * 16 : 2 * 6 * 15 * 4;
    expect(bindingBytes).toEqual([bytes, 48, bytes]);
    expect(workgroups).toEqual([3, 2, 1]);
  });
});
