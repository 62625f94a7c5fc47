import { describe, expect, it } from 'vitest';
import { batchNorm, batchNormAffine, packAffine } from '../../../src/kernels/tensor/batchnorm.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { batchNorm as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { type Dims4, randomImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

const CASES: readonly (readonly [dims: Dims4, epsilon: number])[] = [
  [[1, 1, 1, 1], 1e-5],
  [[1, 4, 7, 9], 1e-5],
  [[3, 5, 4, 4], 1e-3],
  [[2, 30, 5, 3], 1e-5],
  [[1, 56, 9, 11], 0.1],
];

describe('batchnorm', () => {
  it.each(CASES.map(([dims, epsilon]) => [dims.join('×'), epsilon, dims] as const))(
    '%s, epsilon %d',
    async (_, epsilon, dims) => {
      const [batch, channels, height, width] = dims;
      const rng = createRng(1);
      const image = randomImage(rng, dims);
      const gamma = rng.floats(channels, -2, 2);
      const beta = rng.floats(channels);
      const mean = rng.floats(channels);
      const variance = rng.floats(channels, 0.25, 4);
      const { scale, shift } = batchNormAffine(gamma, beta, mean, variance, epsilon);
      const dispatch = batchNorm({ batch, channels, height, width });
      const output = new Float32Array(await runDispatch(dispatch, [image.packed, packAffine(scale, shift)]));
      const expected = reference(image, gamma, beta, mean, variance, epsilon);
      expectClose(unpackOnCpu(output, dims), expected.data, {
        abs: 10 * 2 ** -23,
        reason: 'scale below 4 and shift below 5 in float32, a product below 4 and a sum below 9',
      });
    },
  );
});

it('packAffine puts the scales before the shifts, each padded to whole vectors', () => {
  const affine = packAffine(new Float32Array([1, 2, 3, 4, 5]), new Float32Array([6, 7, 8, 9, 10]));
  expect(Array.from(affine)).toEqual([1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0]);
});
