import { expect, it } from 'vitest';
import { ARCHITECTURES } from '../../../src/architectures/published.ts';
import { synthesizeModel } from '../../../src/architectures/synthesize.ts';
import { CASES, measureThroughput } from '../../../src/cli/bench/throughput.ts';
import { loadModel } from '../../../src/loader/load-model.ts';
import { nodePlatform } from '../../../src/node/platform.ts';
import { openGpu } from '../../support/gpu.ts';

const bytes = synthesizeModel(ARCHITECTURES.scrfd_500m);

async function measureWithin(budgetMs: number) {
  const { device } = await openGpu();
  const model = await loadModel(bytes);
  const options = { autotune: false, precision: 'f32', scoreThreshold: 1 } as const;
  return measureThroughput(nodePlatform, device, { name: 'm', bytes, model, size: [32, 32], ...options }, budgetMs);
}

it('counts pictures of calls under way and of batches', { timeout: 120_000 }, async () => {
  const measured = await measureWithin(1000);
  expect(measured.map(({ calls, batch }) => [calls, batch])).toEqual(CASES);
  expect(measured[0]).toMatchObject({ model: 'm', size: [32, 32], picturesPerSecond: expect.any(Number) });
  for (const { picturesPerSecond } of measured)
    if (picturesPerSecond !== null) expect(picturesPerSecond).toBeGreaterThan(0);
});

it('leaves out what would take longer than the budget', async () => {
  const [one, ...others] = await measureWithin(0.001);
  expect(one!.picturesPerSecond).toBeGreaterThan(0);
  expect(others.map(({ picturesPerSecond }) => picturesPerSecond)).toEqual(others.map(() => null));
});
