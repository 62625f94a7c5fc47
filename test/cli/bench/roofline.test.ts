import { expect, it } from 'vitest';
import { measureRoofline } from '../../../src/cli/bench/roofline.ts';
import { openGpu } from '../../support/gpu.ts';

it('finds ceilings that a computer has', async () => {
  const { fmaGflops, copyGBs } = await measureRoofline(await openGpu());
  // from slower than any SIMD unit to faster than any GPU: operations or bytes miscounted by a thousand would show
  expect(fmaGflops).toBeGreaterThan(0.5);
  expect(fmaGflops).toBeLessThan(500_000);
  expect(copyGBs).toBeGreaterThan(0.1);
  expect(copyGBs).toBeLessThan(20_000);
});
