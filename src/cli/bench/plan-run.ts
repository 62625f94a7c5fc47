import { compileDetector, type DetectorPlan } from '../../detector/compile.ts';
import type { LoweringOptions } from '../../graph/lower.ts';
import type { ModelPlan } from '../../graph/plan.ts';
import { packImageParams } from '../../kernels/detection/image-params.ts';
import { resizeTable } from '../../kernels/detection/letterbox.ts';
import type { AdapterTraits } from '../../kernels/dispatch.ts';
import type { Model } from '../../loader/model.ts';
import type { Executor } from '../../runtime/executor.ts';
import type { GpuContext } from '../../runtime/gpu-context.ts';
import { BufferUsage } from '../../runtime/gpu-flags.ts';
import { GpuTimer, type Granularity } from '../../runtime/gpu-timer.ts';
import type { Platform } from '../../runtime/platform.ts';
import { Session, type SessionOptions } from '../../runtime/session.ts';
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
  traits: AdapterTraits,
  options?: LoweringOptions,
): DetectorPlan {
  return compileDetector(model, { batch, inputSizes: [size] }, traits, options);
}

/** A plan's runs with nothing around them, timed on the GPU. Contents of its buffers are zero unless written. */
export class PlanRun<P extends ModelPlan = ModelPlan> {
  readonly plan: P;
  readonly #context: GpuContext;
  readonly #executor: Executor;
  readonly #timer: GpuTimer;
  readonly #staging: GPUBuffer;
  readonly #externals: readonly GPUBuffer[];

  constructor(
    context: GpuContext,
    plan: P,
    executor: Executor,
    timer: GpuTimer,
    externals: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  ) {
    const { device } = context;
    this.plan = plan;
    this.#context = context;
    this.#executor = executor;
    this.#timer = timer;
    this.#staging = device.createBuffer({
      label: 'read-back',
      size: 4,
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    });
    this.#externals = [...externals].map(([name, contents]) => {
      const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
      const buffer = device.createBuffer({ label: name, size: contents.byteLength, usage });
      device.queue.writeBuffer(buffer, 0, contents);
      executor.bind(name, buffer);
      return buffer;
    });
  }

  /** Milliseconds of one run, by stage or by step. */
  async run(): Promise<number[]> {
    const encoder = this.#context.device.createCommandEncoder();
    this.#executor.encode(encoder, this.#timer);
    const parts = [{ buffer: this.#executor.buffer(0), offset: 0, bytes: 4 }];
    await this.#context.read(encoder, this.#staging, parts, this.#executor.pacer);
    return this.#timer.read();
  }

  dispose(): void {
    for (const buffer of this.#externals) buffer.destroy();
    this.#staging.destroy();
    this.#timer.dispose();
  }
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
): Promise<Session<P, PlanRun<P>> | null> {
  if (!options.device.features.has('timestamp-query')) return null;
  return Session.open(platform, model, options, (context, plan: P, executor) => {
    const timer = GpuTimer.create(context, plan, granularity)!;
    return new PlanRun(context, plan, executor, timer, externals);
  });
}

/** What a detector would write for black pictures that fill the input size. */
function blackPictures({ size: [width, height], batch }: CaseSpec): Map<string, Uint8Array<ArrayBuffer>> {
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
    const compile = (lowering: LoweringOptions) => planDetector(model, spec, session.context.traits, lowering);
    return await session.use('kernels', compile, async (run) => {
      // the first run compiles
      await run.run();
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
