import { describe, expect, it } from 'vitest';
import { type Activation, NO_ACTIVATION } from '../../../src/kernels/activation.ts';
import { unary } from '../../../src/kernels/tensor/unary.ts';
import { expectClose } from '../../support/compare.ts';
import { createRng } from '../../support/rng.ts';
import { referenceActivation } from '../support/activations.ts';
import { runDispatch } from '../support/run-steps.ts';

const ACTIVATIONS: readonly Activation[] = [
  NO_ACTIVATION,
  { kind: 'relu' },
  { kind: 'leakyRelu', slope: 0.1 },
  { kind: 'leakyRelu', slope: -2 },
  { kind: 'clip', low: 0, high: 6 },
  { kind: 'clip', low: -0.5, high: Number.POSITIVE_INFINITY },
  { kind: 'clip', low: Number.NEGATIVE_INFINITY, high: 0.5 },
  { kind: 'sigmoid' },
];

const EDGES = [0, 1e-6, -1e-6, 1, -1, 6, 80, -80, 89, -89, 100, -100, 1e30, -1e30];

describe.each(ACTIVATIONS.map((activation) => [JSON.stringify(activation), activation] as const))(
  '%s',
  (_, activation) => {
    it.each([1, 63, 64, 1000])('%i vectors', async (vectors) => {
      const data = createRng(vectors).floats(vectors * 4, -10, 10);
      data.set(EDGES.slice(0, data.length));
      const output = new Float32Array(await runDispatch(unary(activation, vectors), [data]));
      const expected = referenceActivation({ dims: [data.length], data }, activation).data;
      if (activation.kind === 'sigmoid') {
        expectClose(output, expected, { abs: 1e-6, reason: 'WGSL exp is within 3 + 2|x| ULP, times s(1 - s)' });
      } else {
        expectClose(output, expected, { rel: 2 ** -23, reason: 'slope in float32 and one rounding' });
      }
    });
  },
);

it('sigmoid stays within 0 and 1', async () => {
  const output = new Float32Array(
    await runDispatch(unary({ kind: 'sigmoid' }, 1), [new Float32Array([-1e30, -100, 100, 1e30])]),
  );
  expect(output[0]).toBeLessThan(1e-30);
  expect(output[1]).toBeLessThan(1e-30);
  expect(Array.from(output.subarray(2))).toEqual([1, 1]);
});
