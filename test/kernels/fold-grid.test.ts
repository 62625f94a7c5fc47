import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { sizeOf } from '../../src/common/tensor.ts';
import { compileDetector } from '../../src/detector/compile.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadGeneralOperators } from '../../src/graph/load-operators.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import type { NetworkPlan } from '../../src/graph/plan.ts';
import { MAX_WORKGROUPS } from '../../src/kernels/dispatch.ts';
import { foldGrid } from '../../src/kernels/fold-grid.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { randomNetwork } from '../graph/random-network.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';
import { runPlan } from '../support/run-plan.ts';

await loadGeneralOperators();

const HARDWARE = { software: false, subgroupSize: 0, class: 'server' } as const;

describe('foldGrid', () => {
  it.each([3, 12])('changes no bit of random network %i', async (seed) => {
    const { spec, inputDims } = randomNetwork(seed);
    const model = await loadModel(buildModel(spec));
    const input = createRng(seed).floats(sizeOf(inputDims));
    const context = await openGpu();
    for (const traits of [context.traits, HARDWARE]) {
      const plan = compileNetwork(model, inputDims, await loadTarget(traits));
      const steps = plan.steps.map((step) => ({ ...step, dispatch: foldGrid(step.dispatch, 2) }));
      expect(steps.filter(({ dispatch }, i) => dispatch !== plan.steps[i]!.dispatch).length).toBeGreaterThan(2);
      for (const { dispatch } of steps) expect(dispatch.workgroups[0]).toBeLessThanOrEqual(2);
      const folded: NetworkPlan = { ...plan, steps };
      expect(await runPlan(context, folded, input)).toEqual(await runPlan(context, plan, input));
    }
  });

  it.each([{ software: true, subgroupSize: 8 }, { software: true, subgroupSize: 0 }, HARDWARE])(
    'makes launches for inputs of 8K and of 64 megapixels: %o',
    async (traits) => {
      const model = await loadModel(synthesizeModel(ARCHITECTURES.scrfd_500m_kps!, { seed: 1 }));
      const sizes = [
        [7680, 4320],
        [8192, 8192],
        [640, 65_504],
      ] as const;
      const target = await loadTarget(traits);
      for (const size of sizes) {
        const { steps } = compileDetector(model, { batch: 1, inputSizes: [size] }, target);
        const sides = steps.flatMap(({ dispatch }) => dispatch.workgroups);
        expect(Math.max(...sides)).toBeLessThanOrEqual(MAX_WORKGROUPS);
      }
    },
  );
});
