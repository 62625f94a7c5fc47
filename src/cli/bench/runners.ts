import type { Pixels } from '../../common/image.ts';
import { createRandom } from '../../common/random.ts';
import { type DetectorPlan, STAGES } from '../../detector/compile.ts';
import { Detector } from '../../detector/detector.ts';
import { DetectorEngine } from '../../detector/engine.ts';
import { readSettings } from '../../detector/options.ts';
import { planMemory } from '../../graph/count-work.ts';
import type { Precision } from '../../kernels/dispatch.ts';
import type { Model } from '../../loader/model.ts';
import { Network } from '../../runtime/network.ts';
import type { Platform } from '../../runtime/platform.ts';
import type { RunPhase } from '../../runtime/run-phases.ts';
import { createSession, type OnnxRuntime } from '../shared/onnxruntime.ts';
import { type CaseSpec, openRuns } from './plan-run.ts';
import { raiseClock } from './raise-clock.ts';
import { CPU_PHASES, type CpuTimes, type Provider, type Row, type StageTimes, sumStages } from './results.ts';
import { median, summarize } from './statistics.ts';

/** A model to run, and on what. */
export interface Workload extends CaseSpec {
  /** The model's name in the results. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly model: Model;
  /** Least score of a face. */
  readonly scoreThreshold: number;
  /** Operations of the network's convolutions, for the whole batch. */
  readonly flops: number;
  /** Whether our kernels are tuned; else the adapter's class chooses them. */
  readonly autotune: boolean;
  /** How our kernels store values. */
  readonly precision: Precision;
}

/** One way to run the workload. */
export interface Runner {
  readonly provider: Provider;
  readonly dispatches: number | null;
  readonly memoryBytes: number | null;
  run(): Promise<unknown>;
  /** One more run, for the GPU's milliseconds of all of it. Null without timestamps, as `timeStages` is. */
  readonly timeGpu: (() => Promise<number>) | null;
  /** One more run, for the GPU's time of each stage. */
  readonly timeStages: (() => Promise<StageTimes>) | null;
  /** One more run, for what the CPU does in it. */
  readonly timeCpu: (() => Promise<CpuTimes>) | null;
  dispose(): Promise<void>;
}

interface MeasureOptions {
  /** Timed runs of each runner, with rests and again without. */
  readonly runs: number;
  /** A runner that has taken longer in all of either is not run further, beyond the third time. */
  readonly budgetMs: number;
  /** Whether the adapter runs on the CPU. */
  readonly software: boolean;
}

const WARM_UPS = 5;
const LEAST_WARM_UPS = 2;
const LEAST_RUNS = 3;
/** onnxruntime's threads look out for more work for a while and would take cores from whoever comes next. */
const REST_MS = 50;
/** Runs back to back of one runner before it is the next one's turn. */
const SUSTAINED_BLOCK = 10;

/** The same noise for every runner: `[batch, 3, height, width]`. */
export function makeInput({ size: [width, height], batch }: CaseSpec): Float32Array<ArrayBuffer> {
  const { uniform } = createRandom(1);
  return new Float32Array(batch * 3 * height * width).map(() => uniform(-1, 1));
}

/** Noise, too. */
export function makePictures({ size: [width, height], batch }: CaseSpec): Pixels[] {
  const { int } = createRandom(2);
  return Array.from({ length: batch }, () => {
    return { data: new Uint8Array(width * height * 3).map(() => int(0, 255)), width, height, channels: 3 };
  });
}

function totalMemory(plan: Parameters<typeof planMemory>[0]): number {
  const { activations, constants } = planMemory(plan);
  return activations + constants;
}

/**
 * Pixels in, faces out: pictures that fill the input size, uploaded every time. What a run takes in parts is told by an
 * engine of its own, which is what a detector has inside.
 */
export async function openDetector(platform: Platform, device: GPUDevice, work: Workload): Promise<Runner> {
  const { model, bytes, size, scoreThreshold, autotune, precision } = work;
  const options = { device, autotune, precision };
  const pictures = makePictures(work);
  const settings = readSettings({ inputSize: size, scoreThreshold }, model);
  const opened = pictures.map((picture) => ({ ...picture, kind: 'pixels' }) as const);
  const engine = await DetectorEngine.open(platform, model, options);
  let plan: DetectorPlan;
  let detector: Detector;
  try {
    plan = await engine.prepare(settings, opened);
    // compiles what only a run does, and learns how long to sleep
    await engine.run(opened, settings);
    detector = await Detector.create(platform, bytes, { ...options, inputSize: size, scoreThreshold });
  } catch (error) {
    await engine.dispose();
    throw error;
  }
  const timeGpu = async (by: 'run' | 'stage') => {
    let times: readonly number[] = [];
    const report = (ms: readonly number[]) => {
      times = ms;
    };
    await engine.run(opened, settings, { gpuTimes: { by, report } });
    return times;
  };
  const hasTimestamps = device.features.has('timestamp-query');
  return {
    provider: 'scrfd-webgpu',
    dispatches: plan.steps.length,
    memoryBytes: totalMemory(plan),
    run: () => detector.detectBatch(pictures),
    timeGpu: hasTimestamps ? async () => (await timeGpu('run'))[0]! : null,
    timeStages: hasTimestamps ? async () => stageTimes((await timeGpu('stage')) as [number, number, number]) : null,
    async timeCpu() {
      const times: Record<RunPhase, number> = { upload: 0, encode: 0, submit: 0, wait: 0, readBack: 0 };
      let last = performance.now();
      const onPhaseEnd = (phase: RunPhase) => {
        const now = performance.now();
        times[phase] += now - last;
        last = now;
      };
      await engine.run(opened, settings, { onPhaseEnd });
      const { wait: _, ...busy } = times;
      return busy;
    },
    async dispose() {
      await engine.dispose();
      await detector.dispose();
    },
  };
}

/** A float tensor in, the outputs as the file has them out: what onnxruntime's sessions do. */
export async function openNetwork(platform: Platform, device: GPUDevice, work: Workload): Promise<Runner> {
  const { model, size, batch, autotune, precision } = work;
  const input = makeInput(work);
  const inputShape = [batch, 3, size[1], size[0]] as const;
  const own = await Network.create(platform, work.bytes, { device, inputShape, autotune, precision });
  const plan = await own.plan();
  const timed = await openRuns(platform, model, { device, precision }, 'run');
  return {
    provider: 'scrfd-network',
    dispatches: plan.steps.length,
    memoryBytes: totalMemory(plan),
    run: () => own.run(input),
    timeGpu:
      timed &&
      (async () => {
        const [ms] = await timed.use(
          'network',
          () => plan,
          (run) => run.run(),
        );
        return ms!;
      }),
    timeStages: null,
    timeCpu: null,
    async dispose() {
      await timed?.dispose();
      await own.dispose();
    },
  };
}

/** A session with onnxruntime's own settings but for the number of threads. */
export async function openOnnxRuntime(
  ort: OnnxRuntime,
  provider: Extract<Provider, `ort-${string}`>,
  work: Workload,
): Promise<Runner> {
  const session = await createSession(ort, work.bytes, {
    executionProviders: [provider === 'ort-webgpu' ? 'webgpu' : 'cpu'],
    ...(provider === 'ort-cpu-1' && { intraOpNumThreads: 1 }),
  });
  const [width, height] = work.size;
  const input = new ort.Tensor('float32', makeInput(work), [work.batch, 3, height, width]);
  const feeds = { [session.inputNames[0]!]: input };
  return {
    provider,
    dispatches: null,
    memoryBytes: null,
    run: () => session.run(feeds, { logSeverityLevel: 3 }),
    timeGpu: null,
    timeStages: null,
    timeCpu: null,
    dispose: () => session.release(),
  };
}

/** What was measured of one runner, in milliseconds. */
interface Entry {
  readonly runner: Runner;
  readonly wall: number[];
  readonly gpu: number[];
  readonly sustained: number[];
  readonly sustainedGpu: number[];
  readonly stages: StageTimes[];
  /** Wall time of the runs in `stages` beyond the GPU's. */
  readonly outside: number[];
  readonly cpu: CpuTimes[];
}

function stageTimes([letterbox, network, faces]: readonly [number, number, number]): StageTimes {
  return { letterbox, network, faces };
}

/** Of each name the median. Null for none. */
function medians<K extends string>(names: readonly K[], times: readonly Readonly<Record<K, number>>[]) {
  if (times.length === 0) return null;
  return Object.fromEntries(names.map((name) => [name, median(times.map((each) => each[name]))])) as Record<K, number>;
}

const medianOrNull = (values: readonly number[]) => (values.length === 0 ? null : median(values));

async function clock(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}

/** Whether a runner may have one more run. */
function isWithin(budgetMs: number, times: readonly number[]): boolean {
  return times.length < LEAST_RUNS || times.reduce((sum, ms) => sum + ms, 0) <= budgetMs;
}

/** One run of each after another, each after a rest. */
async function runWithRests(entries: readonly Entry[], { runs, budgetMs }: MeasureOptions): Promise<void> {
  for (let i = 0; i < runs; i++) {
    for (const { runner, wall, gpu } of entries) {
      if (!isWithin(budgetMs, wall)) continue;
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
      wall.push(await clock(() => runner.run()));
      if (runner.timeGpu) gpu.push(await runner.timeGpu());
    }
  }
}

/** A block of runs after another, with nothing between a GPU's clock having risen and the last of them. */
async function runSustained(entries: readonly Entry[], { runs, budgetMs, software }: MeasureOptions): Promise<void> {
  for (let done = 0; done < runs; done += SUSTAINED_BLOCK) {
    for (const { runner, ...times } of entries) {
      if (!isWithin(budgetMs, times.sustained)) continue;
      await raiseClock(() => runner.run(), { software });
      const before = times.sustained.length;
      for (let i = done; i < Math.min(runs, done + SUSTAINED_BLOCK); i++) {
        if (isWithin(budgetMs, times.sustained)) times.sustained.push(await clock(() => runner.run()));
      }
      const count = times.sustained.length - before;
      for (let i = 0; i < count && runner.timeGpu; i++) times.sustainedGpu.push(await runner.timeGpu());
      for (let i = 0; i < count && runner.timeStages; i++) {
        const start = performance.now();
        const stages = await runner.timeStages();
        times.outside.push(performance.now() - start - sumStages(stages));
        times.stages.push(stages);
      }
      for (let i = 0; i < count && runner.timeCpu; i++) times.cpu.push(await runner.timeCpu());
    }
  }
}

/**
 * Runs the runners in turn, so that what slows the machine for a while slows all of them, after warm-up runs, which
 * compile shaders and learn how long to sleep: one run each after a rest, again and again, and then blocks of runs back
 * to back. GPU and CPU times come from runs of their own.
 */
export async function measure(runners: readonly Runner[], work: Workload, options: MeasureOptions): Promise<Row[]> {
  const entries = runners.map(
    (runner): Entry => ({
      runner,
      ...{ wall: [], gpu: [], sustained: [], sustainedGpu: [], stages: [], outside: [], cpu: [] },
    }),
  );
  for (const { runner } of entries) {
    const start = performance.now();
    for (let i = 0; i < WARM_UPS; i++) {
      if (i >= LEAST_WARM_UPS && performance.now() - start > options.budgetMs / 2) break;
      await runner.run();
    }
  }
  await runWithRests(entries, options);
  await runSustained(entries, options);
  return entries.map(({ runner, wall, gpu, sustained, sustainedGpu, stages, outside, cpu }) => {
    const { provider, dispatches, memoryBytes } = runner;
    const wallMs = summarize(wall);
    return {
      model: work.name,
      size: work.size,
      batch: work.batch,
      provider,
      wallMs,
      runs: wall.length,
      sustainedMs: summarize(sustained),
      sustainedRuns: sustained.length,
      gpuMs: medianOrNull(gpu),
      sustainedGpuMs: medianOrNull(sustainedGpu),
      stagesMs: medians(STAGES, stages),
      outsideMs: medianOrNull(outside),
      cpuMs: medians(CPU_PHASES, cpu),
      gflops: work.flops / 1e6 / wallMs.median,
      dispatches,
      memoryBytes,
    };
  });
}
