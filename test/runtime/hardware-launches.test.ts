import { describe, expect, it, vi } from 'vitest';
import { sizeOf } from '../../src/common/tensor.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadGeneralOperators } from '../../src/graph/load-operators.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { GpuContext } from '../../src/runtime/gpu-context.ts';
import { randomNetwork } from '../graph/random-network.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { runOrt } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';
import { runPlan } from '../support/run-plan.ts';

await loadGeneralOperators();

/** What plans are compiled for; they run on this machine's adapter, whatever it is. */
const HARDWARE = await loadTarget({ software: false, subgroupSize: 8, class: 'server', storageBuffers: 8 });

/** Random networks that were wrong, or did not compile, when an H200 first ran them, and some with many launches beside others. */
const SEEDS = [3, 12, 34, 39, 41, 77];

/** This machine's adapter, with runs submitted as on hardware. */
async function openAsHardware(): Promise<GpuContext> {
  const context = await openGpu();
  Object.assign(context.traits, HARDWARE);
  return context;
}

describe('networks compiled for hardware agree with onnxruntime', () => {
  it.each(SEEDS)('random network %i', { timeout: 300_000 }, async (seed) => {
    const { spec, inputDims } = randomNetwork(seed);
    const bytes = buildModel(spec);
    const data = createRng(seed + 1000).floats(sizeOf(inputDims));
    const options = { graphOptimizationLevel: 'disabled' } as const;
    const expected = await runOrt(bytes, { x: { dims: inputDims, data } }, options);
    const model = await loadModel(bytes);
    const context = await openAsHardware();
    const submit = vi.spyOn(context.device.queue, 'submit').mockClear();
    const plan = compileNetwork(model, inputDims, HARDWARE);
    const actual = await runPlan(context, plan, data);
    expect(submit.mock.calls.length).toBe(plan.steps.length > 4 ? 2 : 1);
    plan.outputs.forEach(({ name }, i) => {
      const reference = expected[name]!.data;
      const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      const reason = `${name}: float32 sums in another order, amplified by up to 1/sqrt(epsilon) where a norm sees a flat plane`;
      expectClose(actual[i]!, reference, { abs: 1e-4 * largest, reason });
    });
  });

  it('run launches beside each other', async () => {
    const kernels = await Promise.all(
      SEEDS.map(async (seed) => {
        const { spec, inputDims } = randomNetwork(seed);
        const { steps } = compileNetwork(await loadModel(buildModel(spec)), inputDims, HARDWARE);
        return steps.map(({ dispatch }) => dispatch.kernel);
      }),
    );
    expect(kernels.flat().filter((kernel) => kernel === 'side-by-side').length).toBeGreaterThan(3);
  });
});
