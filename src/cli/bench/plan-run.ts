import { compileDetector, type DetectorPlan } from '../../detector/compile.ts';
import type { LoweringOptions } from '../../graph/lower.ts';
import type { ModelPlan } from '../../graph/plan.ts';
import type { Target } from '../../graph/target.ts';
import { packImageParams } from '../../kernels/detection/image-params.ts';
import { resizeTable } from '../../kernels/detection/letterbox.ts';
import type { Model } from '../../loader/model.ts';
import type { Executor } from '../../runtime/executor.ts';
import { type GpuContext, isSoftware } from '../../runtime/gpu-context.ts';
import { BufferUsage } from '../../runtime/gpu-flags.ts';
import { GpuTimer, type Granularity } from '../../runtime/gpu-timer.ts';
import type { Platform } from '../../runtime/platform.ts';
import { Session, type SessionOptions } from '../../runtime/session.ts';
import { raiseClock } from './raise-clock.ts';
import type { KernelTime } from './results.ts';
import { median } from './statistics.ts';

export interface CaseSpec {
  readonly size: readonly [width: number, height: number];
  readonly batch: number;
}

/** The plan that a detector runs for a batch of pictures at one input size. */
export function planDetector(
  model: Model,
  { size, batch }: CaseSpec,
  target: Target,
  options?: LoweringOptions,
): DetectorPlan {
  return compileDetector(model, { batch, inputSizes: [size] }, target, options);
}

/** A plan's runs with nothing around them, timed on the GPU. Contents of its buffers are zero unless written. */
function planRun<P extends ModelPlan>(
  context: GpuContext,
  plan: P,
  executor: Executor,
  granularity: Granularity,
  externals: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
) {
  const { device } = context;
  const { STORAGE, COPY_DST, MAP_READ } = BufferUsage;
  const timer = GpuTimer.create(context, plan, granularity)!;
  const staging = device.createBuffer({ label: 'read-back', size: 4, usage: MAP_READ | COPY_DST });
  const buffers = [...externals].map(([label, contents]) => {
    const buffer = device.createBuffer({ label, size: contents.byteLength, usage: STORAGE | COPY_DST });
    device.queue.writeBuffer(buffer, 0, contents);
    executor.bind(label, buffer);
    return buffer;
  });
  return {
    plan,
    /** Milliseconds of one run, by the granularity. */
    run: async (): Promise<number[]> => {
      const encoder = device.createCommandEncoder();
      executor.encode(encoder, timer);
      const parts = [{ buffer: executor.buffer(0), offset: 0, bytes: 4 }];
      await context.guarded('a run', () => context.read(encoder, staging, parts, { pacer: executor.pacer }));
      return timer.read();
    },
    dispose() {
      for (const buffer of [...buffers, staging]) buffer.destroy();
      timer.dispose();
    },
  };
}

/**
 * A session whose plans are run with nothing around them, on a device that is not destroyed with it.
 * @returns null on a device without timestamps
 */
export async function openRuns<P extends ModelPlan>(
  platform: Platform,
  model: Model,
  options: SessionOptions & { readonly device: GPUDevice },
  granularity: Granularity,
  externals: ReadonlyMap<string, Uint8Array<ArrayBuffer>> = new Map(),
) {
  if (!options.device.features.has('timestamp-query')) return null;
  return Session.open(platform, model, options, (context, plan: P, executor) =>
    planRun(context, plan, executor, granularity, externals),
  );
}

/** What a detector would write for black pictures that fill the input size. */
export function blackPictures({ size: [width, height], batch }: CaseSpec): Map<string, Uint8Array<ArrayBuffer>> {
  const words = Math.ceil((width * height * 3) / 4);
  const table = new Uint8Array(resizeTable(width, height, width, height).buffer);
  const params = Array.from({ length: batch }, (_, n) => ({
    ...({ width, height, channels: 3, rowBytes: width * 3, blueFirst: false, firstWord: n * words } as const),
    ...({ newWidth: width, newHeight: height, firstEntry: 0, scale: [1, 1], padding: 0 } as const),
    ...{ scoreThreshold: 1, iouThreshold: 0.4, clip: false, includeLastPixel: true, maxFaces: 0, preferCentral: true },
  }));
  return new Map([
    // a pixel that straddles two words reads one word further
    ['pixels', new Uint8Array((words * batch + 1) * 4)],
    ['resizeTable', table],
    ['imageParams', packImageParams(params)],
  ]);
}

/** Median GPU time of every step of a detector; null on a device without timestamps. */
export async function timeKernels(
  platform: Platform,
  model: Model,
  spec: CaseSpec,
  runs: number,
  options: SessionOptions & { readonly device: GPUDevice },
): Promise<KernelTime[] | null> {
  const session = await openRuns<DetectorPlan>(platform, model, options, 'step', blackPictures(spec));
  if (!session) return null;
  try {
    const compile = (lowering: LoweringOptions) => planDetector(model, spec, session.target, lowering);
    return await session.use('kernels', compile, async (run) => {
      // the first run compiles
      await raiseClock(run.run, { software: isSoftware(options.device.adapterInfo) });
      const times: number[][] = [];
      for (let i = 0; i < runs; i++) times.push(await run.run());
      return run.plan.steps.map(({ label, dispatch: { flops = 0, bindingBytes } }, step) => ({
        label,
        gflop: flops / 1e9,
        gb: bindingBytes.reduce((sum, bytes) => sum + bytes, 0) / 1e9,
        ms: median(times.map((each) => each[step]!)),
      }));
    });
  } finally {
    await session.dispose();
  }
}
