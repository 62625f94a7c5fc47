import { beforeAll, describe, expect, it, test } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { openRuns, planDetector, timeKernels } from '../../src/cli/bench/plan-run.ts';
import { DeviceError } from '../../src/common/errors.ts';
import { STAGES } from '../../src/detector/compile.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { countWork } from '../../src/graph/count-work.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import type { Plan } from '../../src/graph/plan.ts';
import { packedBytes } from '../../src/kernels/nc4hw4.ts';
import { unary } from '../../src/kernels/tensor/unary.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { Model } from '../../src/loader/model.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { GpuContext } from '../../src/runtime/gpu-context.ts';
import { BufferUsage } from '../../src/runtime/gpu-flags.ts';
import { GpuTimer } from '../../src/runtime/gpu-timer.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';

/** Dawn rounds a timestamp down to a multiple of 65.536 µs: a pass may seem that much longer. */
const ROUNDING_MS = 0.066;

let model: Model;
beforeAll(async () => {
  model = await loadModel(synthesizeModel(ARCHITECTURES.scrfd_500m_kps));
});

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

test('stages of a detector, and of a network', async () => {
  const target = await loadTarget((await openGpu()).traits);
  const stagesOf = (plan: Plan) => [...new Set(plan.steps.map(({ stage }) => stage))];
  const plan = planDetector(model, { size: [96, 64], batch: 1 }, target);
  expect(stagesOf(plan)).toEqual(STAGES);
  expect(plan.steps.map(({ stage }) => stage)).toEqual([
    'letterbox',
    ...new Array(plan.steps.length - 4).fill('network'),
    ...['faces', 'faces', 'faces'],
  ]);
  expect(stagesOf(compileNetwork(model, [1, 3, 64, 96], target))).toEqual(['network']);
});

describe('on the GPU', () => {
  test.each(['run', 'stage', 'step'] as const)(
    'times by %s: none negative, together no longer than the run',
    async (by) => {
      const context = await openGpu();
      const plan = compileNetwork(model, [1, 3, 128, 128], await loadTarget(context.traits));
      const session = await openRuns(nodePlatform, model, { device: context.device }, by);
      expect(session, 'this adapter has no timestamps').not.toBeNull();
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        const times = await session!.use(
          '',
          () => plan,
          (run) => run.run(),
        );
        const wall = performance.now() - start;
        expect(times).toHaveLength(by === 'step' ? plan.steps.length : 1);
        expect(times.every((ms) => ms >= 0)).toBe(true);
        const passes = by === 'step' ? plan.steps.length : 1;
        expect(sum(times)).toBeLessThanOrEqual(wall + passes * ROUNDING_MS);
        expect(sum(times)).toBeGreaterThan(0);
      }
      await session!.dispose();
      await session!.dispose();
    },
  );

  test('one pass a stage; stages that come again are added up', async () => {
    const context = await openGpu();
    const stages = ['letterbox', 'network', 'network', 'faces', 'letterbox', 'network', 'faces', 'faces'];
    const timer = GpuTimer.create(context, { steps: stages.map((stage, i) => ({ label: `${i}`, stage })) }, 'stage')!;
    expect(timer.labels).toEqual(['letterbox', 'network', 'faces']);
    expect(timer.passes.map(({ first, end }) => [first, end])).toEqual([
      [0, 1],
      [1, 3],
      [3, 4],
      [4, 5],
      [5, 6],
      [6, 8],
    ]);
    timer.dispose();
  });

  test('a run is one pass between one pair of timestamps, whatever stages it has', async () => {
    const context = await openGpu();
    const stages = ['letterbox', 'network', 'faces', 'letterbox'];
    const timer = GpuTimer.create(context, { steps: stages.map((stage, i) => ({ label: `${i}`, stage })) }, 'run')!;
    expect(timer.labels).toEqual(['run']);
    expect(timer.passes).toEqual([
      {
        first: 0,
        end: 4,
        timestampWrites: expect.objectContaining({ beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 }),
      },
    ]);
    timer.dispose();
  });

  test('a thousand times the work takes longer, and timing changes no result', async () => {
    const context = await openGpu();
    const sides = [16, 512];
    const steps = sides.map((side, i) => ({
      label: `map ${side}/unary`,
      stage: 'network',
      dispatch: unary({ kind: 'sigmoid' }, side * side),
      operands: [{ kind: 'buffer', index: i * 2 } as const, { kind: 'buffer', index: i * 2 + 1 } as const],
    }));
    const buffers = sides.flatMap((side) => [packedBytes(1, 4, side, side), packedBytes(1, 4, side, side)]);
    const plan: Plan = { buffers, constants: new Map(), cleared: [], steps };
    const constants = new ConstantStore(context);
    const executor = await Executor.create(context, constants, plan);
    const input = createRng(5).floats(sides[1]! ** 2 * 4);
    context.device.queue.writeBuffer(executor.buffer(2), 0, input);
    const size = buffers[3]!;
    const staging = context.device.createBuffer({ size, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
    const run = async (timer?: GpuTimer) => {
      const encoder = context.device.createCommandEncoder();
      executor.encode(encoder, timer);
      const [bytes] = await context.read(encoder, staging, [{ buffer: executor.buffer(3), offset: 0, bytes: size }]);
      return new Float32Array(bytes!);
    };
    const plain = await run();
    expect(plain[7]).toBeCloseTo(1 / (1 + Math.exp(-input[7]!)), 5);
    const timer = GpuTimer.create(context, plan, 'step')!;
    expect(await run(timer)).toEqual(plain);
    await timer.read();
    const times: [number, number][] = [];
    for (let i = 0; i < 5; i++) {
      await run(timer);
      times.push((await timer.read()) as [number, number]);
    }
    // other work on the machine lengthens some of them
    const [small, large] = [0, 1].map((step) => Math.min(...times.map((each) => each[step]!)));
    expect(large).toBeGreaterThan(small!);
    timer.dispose();
    staging.destroy();
    executor.dispose();
    constants.dispose();
  });

  test('every kernel of a detector, with the work of the whole network', async () => {
    const context = await openGpu();
    const spec = { size: [96, 64], batch: 2 } as const;
    const steps = await timeKernels(nodePlatform, model, spec, 2, { device: context.device });
    const plan = planDetector(model, spec, await loadTarget(context.traits));
    expect(steps!.map(({ label }) => label)).toEqual(plan.steps.map(({ label }) => label));
    expect(sum(steps!.map(({ ms }) => ms))).toBeGreaterThan(0);
    expect(steps!.every(({ gb }) => gb > 0)).toBe(true);
  });

  test('more passes than queries', async () => {
    const context = await openGpu();
    const steps = Array.from({ length: 2049 }, (_, i) => ({ label: `${i}`, stage: 'network' }));
    expect(() => GpuTimer.create(context, { steps }, 'step')).toThrow(
      new DeviceError('limits', 'timing needs 2049 passes, this GPU device has queries for 2048'),
    );
  });

  it('has no timer on a device without timestamps', async () => {
    const adapter = await nodePlatform.requestAdapter();
    const device = await adapter!.requestDevice();
    const context = await GpuContext.open(nodePlatform, device);
    expect(GpuTimer.create(context, { steps: [{ label: 'a', stage: 'a' }] }, 'step')).toBeNull();
    expect(await openRuns(nodePlatform, model, { device }, 'stage')).toBeNull();
    expect(await timeKernels(nodePlatform, model, { size: [32, 32], batch: 1 }, 1, { device })).toBeNull();
    device.destroy();
  });
});

describe('operations of the kernels', () => {
  it.each([
    { software: true, subgroupSize: 8 },
    { software: false, subgroupSize: 32 },
    { software: false, subgroupSize: 0 },
  ])('add up to what the network has: %o', async (traits) => {
    for (const member of [ARCHITECTURES.scrfd_500m_kps, ARCHITECTURES['scrfd_2.5g']]) {
      const each = await loadModel(synthesizeModel(member));
      const { steps } = planDetector(each, { size: [96, 64], batch: 2 }, await loadTarget(traits));
      const flops = sum(steps.map(({ dispatch }) => dispatch.flops ?? 0));
      const defined = 2 * countWork(each, [2, 3, 64, 96]).macs;
      // a pool that hardware computes inside a pointwise convolution multiplies every pixel of its windows
      expect(flops).toBeGreaterThanOrEqual(defined);
      expect(flops).toBeLessThanOrEqual(defined * (traits.software ? 1 : 1.02));
    }
  });
});
