import { it } from 'vitest';
import { lrn } from '../../../src/kernels/general/lrn.ts';
import { expectClose } from '../../support/compare.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

it.each([
  [1, 7, 12, 3],
  [2, 5, 3, 4],
  [3, 4, 1, 9],
  [1, 3, 5, 2 ** 30],
])('%i × %i × %i, windows of %i', async (outer, channels, inner, size) => {
  const spec = { size, alpha: 0.5 * size, beta: 0.6, bias: 1.5 };
  const x = createRng(channels).floats(outer * channels * inner, -3, 3);
  const expected = Float64Array.from(x, (value, i) => {
    const channel = Math.floor(i / inner) % channels;
    let sum = 0;
    for (let other = 0; other < channels; other++) {
      const distance = other - channel;
      const inside = distance >= -Math.floor((size - 1) / 2) && distance <= Math.ceil((size - 1) / 2);
      if (inside) sum += x[i + distance * inner]! ** 2;
    }
    return value / (1.5 + 0.5 * sum) ** 0.6;
  });
  const output = new Float32Array(await runDispatch(lrn(outer, channels, inner, spec), [x])).slice(0, x.length);
  expectClose(output, expected, { rel: 1e-5, reason: 'pow() is exp2(y · log2(x)), each within 3 ULP or 2^-21' });
});
