import { beforeAll, describe, expect, it } from 'vitest';
import { formatDims, sizeOf } from '../../src/common/tensor.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { loadGeneralOperators } from '../../src/graph/load-operators.ts';
import { mappedOperators } from '../../src/graph/operators/index.ts';
import { optimize } from '../../src/graph/passes/index.ts';
import { printGraph } from '../../src/graph/print.ts';
import { createNetwork, type OutputTensor } from '../../src/index.node.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { GpuContext } from '../../src/runtime/gpu-context.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { type OrtTensor, runOrt } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';
import { describeNodes, type RandomNetwork, randomNetwork } from './random-network.ts';

await loadGeneralOperators();

const COUNT = 80;
/** How often an operator must occur at least. */
const LEAST = 5;

const SETTINGS = [
  { fuse: false, reuse: false },
  { fuse: false, reuse: true },
  { fuse: true, reuse: false },
  { fuse: true, reuse: true },
];

const networks = Array.from({ length: COUNT }, (_, seed): [number, RandomNetwork] => [seed, randomNetwork(seed)]);

function expectSameTensors(
  actual: Readonly<Record<string, OutputTensor>>,
  expected: Readonly<Record<string, OrtTensor>>,
  names: readonly string[],
): void {
  expect(Object.keys(actual).sort()).toEqual([...names].sort());
  for (const name of names) {
    const { dims, data } = expected[name]!;
    expect(formatDims(actual[name]!.dims), name).toBe(formatDims(dims));
    const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
    expectClose(actual[name]!.data, data, {
      abs: 1e-4 * largest,
      reason: `${name}: float32 sums in another order, amplified by up to 1/sqrt(epsilon) where a norm sees a flat plane`,
    });
  }
}

describe('random networks agree with onnxruntime', () => {
  let gpu: GpuContext;

  beforeAll(async () => {
    gpu = await openGpu();
  });

  it.each(networks)('seed %i', async (seed, { spec, opset, inputDims, computed }) => {
    const rng = createRng(seed + 1000);
    const bytes = buildModel(spec);
    const x = rng.floats(sizeOf(inputDims));
    const outputs = spec.outputs.map((output) => (typeof output === 'string' ? output : output.name));
    const taps = [...new Set(Array.from({ length: 3 }, () => rng.pick(computed)))];
    // unoptimised, so that a fusion of onnxruntime's cannot hide one of ours
    const options = { extraOutputs: computed, graphOptimizationLevel: 'disabled' } as const;
    let stage = 'onnxruntime';
    try {
      const expected = await runOrt(bytes, { x: { dims: inputDims, data: x } }, options);
      for (const setting of SETTINGS) {
        stage = JSON.stringify(setting);
        await using network = await createNetwork(bytes, { ...setting, inputShape: inputDims, device: gpu.device });
        expectSameTensors(await gpu.guarded(stage, () => network.run(x)), expected, outputs);
        if (!setting.fuse) continue;
        stage = `${stage} tap ${taps}`;
        const tapped = await gpu.guarded(stage, () => network.run(x, { tap: taps }));
        expectSameTensors(tapped, expected, [...new Set([...outputs, ...taps])]);
      }
    } catch (error) {
      const where = `seed ${seed}, opset ${opset}, input ${formatDims(inputDims)}, ${stage}`;
      throw new Error(`${where}:\n${(error as Error).message}\n${describeNodes(spec.nodes)}`, { cause: error });
    }
  });
});

describe('random networks cover', () => {
  it('every mapped operator', () => {
    const mapped = mappedOperators();
    expect(mapped.length).toBeGreaterThan(25);
    const counts = new Map(mapped.map((op) => [op, 0]));
    for (const [, { spec }] of networks) {
      for (const { op } of spec.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count < LEAST)).toEqual([]);
  });

  it('every fusion', async () => {
    const graphs = await Promise.all(
      networks.map(async ([, { spec, inputDims }]) =>
        printGraph(optimize(buildGraph(await loadModel(buildModel(spec)), inputDims), true)),
      ),
    );
    const printed = graphs.join('');
    const patterns = [
      /residual ×1/g,
      /residual ×2/g,
      /Conv.* relu/g,
      /Conv.* clip/g,
      /GroupNorm.* \d groups, \w+/g,
      /MatMul\(.*:weight/g,
      /MatMul.*(relu|clip|sigmoid)/gi,
    ];
    for (const pattern of patterns) {
      expect(printed.match(pattern)?.length ?? 0, String(pattern)).toBeGreaterThanOrEqual(LEAST);
    }
  });
});
