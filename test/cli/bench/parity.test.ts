import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { findArchitecture } from '../../../src/architectures/published.ts';
import { synthesizeModel } from '../../../src/architectures/synthesize.ts';
import { checkParity } from '../../../src/cli/bench/parity.ts';
import { isSame, type Parity } from '../../../src/cli/bench/results.ts';
import type { Workload } from '../../../src/cli/bench/runners.ts';
import { formatResults } from '../../../src/cli/bench/tables.ts';
import type { OnnxRuntime } from '../../../src/cli/shared/onnxruntime.ts';
import { loadEveryMethod } from '../../../src/graph/load-target.ts';
import { possibleMethods } from '../../../src/kernels/conv/methods.ts';
import { loadModel } from '../../../src/loader/load-model.ts';
import { nodePlatform } from '../../../src/node/platform.ts';
import type { GpuContext } from '../../../src/runtime/gpu-context.ts';
import { convCase } from '../../kernels/support/conv-cases.ts';
import { openGpu } from '../../support/gpu.ts';
import { resultsOf } from './results.ts';

const bytes = synthesizeModel(findArchitecture('500m_kps'));
const work: Workload = {
  ...{ name: '500m_kps', bytes, model: await loadModel(bytes), size: [64, 32], batch: 2, scoreThreshold: 1 },
  ...{ flops: 1, autotune: false, precision: 'f32' },
};

/** onnxruntime with one element of every output changed. */
const wrong = {
  ...ort,
  InferenceSession: {
    async create(...args: Parameters<typeof ort.InferenceSession.create>) {
      const session = await ort.InferenceSession.create(...args);
      const run = async (...args: Parameters<typeof session.run>) => {
        const results = await session.run(...args);
        for (const { data } of Object.values(results)) (data as Float32Array)[7]! += 0.5;
        return results;
      };
      return {
        ...session,
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        run,
        release: () => session.release(),
      };
    },
  },
} as unknown as OnnxRuntime;

async function check(context: GpuContext, work: Workload, ort: OnnxRuntime): Promise<Parity[]> {
  const parities: Parity[] = [];
  for await (const parity of checkParity(nodePlatform, context, work, ort)) parities.push(parity);
  return parities;
}

const pointwise = convCase([16, 16], [8, 8]).spec;
const window = convCase([24, 24], [8, 8], { kernel: [3, 3], pads: 1 }).spec;
const depthwise = convCase([16, 16], [8, 8], { kernel: [3, 3], pads: 1, group: 16 }).spec;

it('holds every method that the adapter can run against onnxruntime', async () => {
  const context = await openGpu();
  const parities = await check(context, work, ort);
  const target = await loadEveryMethod(context.traits);
  const methods = [pointwise, window, depthwise].flatMap((spec) => possibleMethods(spec, target));
  expect(parities.map(({ way }) => way).sort()).toEqual(['chosen', ...new Set(methods)].sort());
  for (const parity of parities) expect(parity, parity.way).toMatchObject({ problem: null, repeatable: true });
  expect(parities.filter((parity) => !isSame(parity))).toEqual([]);
});

it('finds one wrong element', async () => {
  const parities = await check(await openGpu(), { ...work, batch: 1 }, wrong);
  expect(parities.filter(isSame)).toEqual([]);
  expect(formatResults(resultsOf([], { parities }))).toContain('DIFFERENT');
});

it.each<[string, Partial<Parity>]>([
  ['same', {}],
  ['DIFFERENT', { error: 2e-4 }],
  ['DIFFERENT', { error: Number.NaN }],
  ['OTHER BITS EACH RUN', { repeatable: false }],
  ['no such kernel', { error: null, repeatable: null, problem: 'no such kernel' }],
])('%s: %o', (result, given) => {
  const parity: Parity = {
    ...{ model: '500m', size: [64, 32], batch: 1, precision: 'f32', way: 'split', convs: 3 },
    ...{ error: 1e-5, tolerance: 1e-4, repeatable: true, problem: null, ...given },
  };
  expect(isSame(parity)).toBe(result === 'same');
  expect(formatResults(resultsOf([], { parities: [parity] }))).toContain(`  split         ${result}`);
});
