import type { DetectorPlan } from '../../detector/compile.ts';
import { compileDetector } from '../../detector/compile.ts';
import type { LoweringOptions } from '../../graph/lower.ts';
import type { Plan } from '../../graph/plan.ts';
import type { ConvChoices } from '../../kernels/conv/methods.ts';
import { packImageParams } from '../../kernels/detection/image-params.ts';
import { resizeTable } from '../../kernels/detection/letterbox.ts';
import type { AdapterTraits, Precision } from '../../kernels/dispatch.ts';
import type { Model } from '../../loader/model.ts';
import { ConstantStore } from '../../runtime/constant-store.ts';
import { Executor } from '../../runtime/executor.ts';
import type { GpuContext } from '../../runtime/gpu-context.ts';
import { BufferUsage } from '../../runtime/gpu-flags.ts';
import { GpuTimer, type Granularity } from '../../runtime/gpu-timer.ts';
import type { Tuner } from '../../runtime/tuner.ts';
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

/** The same with the choices of a tuner, if there is one. */
export async function planTuned(
  model: Model,
  spec: CaseSpec,
  traits: AdapterTraits,
  tuner: Tuner | null,
  precision?: Precision,
): Promise<DetectorPlan> {
  const compile = (choices?: ConvChoices) => planDetector(model, spec, traits, { choices, precision });
  return tuner ? tuner.plan(compile) : compile();
}

/** A plan's runs with nothing around them, timed on the GPU. Contents of its buffers are zero unless written. */
export class PlanRun {
  readonly #context: GpuContext;
  readonly #constants: ConstantStore;
  readonly #executor: Executor;
  readonly #timer: GpuTimer;
  readonly #staging: GPUBuffer;
  readonly #externals: readonly GPUBuffer[];

  private constructor(
    context: GpuContext,
    constants: ConstantStore,
    executor: Executor,
    timer: GpuTimer,
    externals: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  ) {
    const { device } = context;
    this.#context = context;
    this.#constants = constants;
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

  /** Null on a device without timestamps. */
  static async create(
    context: GpuContext,
    plan: Plan,
    granularity: Granularity,
    externals: ReadonlyMap<string, Uint8Array<ArrayBuffer>> = new Map(),
  ): Promise<PlanRun | null> {
    const timer = GpuTimer.create(context, plan, granularity);
    if (!timer) return null;
    const constants = new ConstantStore(context);
    const executor = await Executor.create(context, constants, plan);
    return new PlanRun(context, constants, executor, timer, externals);
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
    this.#executor.dispose();
    this.#constants.dispose();
  }
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
  context: GpuContext,
  model: Model,
  spec: CaseSpec,
  runs: number,
  tuner: Tuner | null = null,
  precision?: Precision,
): Promise<KernelTime[] | null> {
  const plan = await planTuned(model, spec, context.traits, tuner, precision);
  const run = await PlanRun.create(context, plan, 'step', blackPictures(spec));
  if (!run) return null;
  try {
    // the first run compiles
    await run.run();
    const times: number[][] = [];
    for (let i = 0; i < runs; i++) times.push(await run.run());
    return plan.steps.map(({ label, dispatch: { flops = 0, bindingBytes } }, step) => ({
      label,
      gflop: flops / 1e9,
      gb: bindingBytes.reduce((sum, bytes) => sum + bytes, 0) / 1e9,
      ms: median(times.map((each) => each[step]!)),
    }));
  } finally {
    run.dispose();
  }
}
