import { expect, it } from 'vitest';
import { tanh } from '../../../src/kernels/general/tanh.ts';
import { expectClose } from '../../support/compare.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

const EDGES = [0, 1e-6, -1e-6, 1, -1, 8.9, -8.9, 16, -16, 45, -45, 100, -100, 1e30, -1e30];

it.each([1, 63, 64, 1000])('%i vectors', async (vectors) => {
  const data = createRng(vectors).floats(vectors * 4, -10, 10);
  data.set(EDGES.slice(0, data.length));
  const output = new Float32Array(await runDispatch(tanh(vectors), [data]));
  const reason = 'WGSL exp is within 3 + 2|x| ULP, a division within 2.5, and both are scaled by at most 1';
  expectClose(output, Float64Array.from(data, Math.tanh), { abs: 1e-6, reason });
});

it('stays within -1 and 1', async () => {
  const output = new Float32Array(await runDispatch(tanh(1), [new Float32Array([-1e30, -100, 100, 1e30])]));
  expect(Array.from(output)).toEqual([-1, -1, 1, 1]);
});
