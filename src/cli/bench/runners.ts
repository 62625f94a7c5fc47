import type { Pixels } from '../../common/image.ts';
import { createRandom } from '../../common/random.ts';
import { STAGES } from '../../detector/compile.ts';
import { Detector } from '../../detector/detector.ts';
import { planMemory } from '../../graph/count-work.ts';
import type { Precision } from '../../kernels/dispatch.ts';
import type { Model } from '../../loader/model.ts';
import { Network } from '../../runtime/network.ts';
import type { Platform } from '../../runtime/platform.ts';
import { Session } from '../../runtime/session.ts';
import { createSession, type OnnxRuntime } from '../shared/onnxruntime.ts';
import { type CaseSpec, openRuns, planDetector } from './plan-run.ts';
import { type Provider, type Row, type StageTimes, sumStages } from './results.ts';
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
  /** One more run, for its GPU times; null without timestamps. */
  time(): Promise<StageTimes | null>;
  dispose(): Promise<void>;
}

interface MeasureOptions {
  /** Timed runs of each runner. */
  readonly runs: number;
  /** A runner that has taken longer in all is not run further, beyond the third time. */
  readonly budgetMs: number;
}

const WARM_UPS = 5;
const LEAST_WARM_UPS = 2;
const LEAST_RUNS = 3;
/** onnxruntime's threads look out for more work for a while and would take cores from whoever comes next. */
const REST_MS = 50;

/** The same noise for every runner: `[batch, 3, height, width]`. */
function makeInput({ size: [width, height], batch }: CaseSpec): Float32Array<ArrayBuffer> {
  const { uniform } = createRandom(1);
  return new Float32Array(batch * 3 * height * width).map(() => uniform(-1, 1));
}

function makePictures({ size: [width, height], batch }: CaseSpec): Pixels[] {
  const { int } = createRandom(2);
  return Array.from({ length: batch }, () => {
    return { data: new Uint8Array(width * height * 3).map(() => int(0, 255)), width, height, channels: 3 };
  });
}

function totalMemory(plan: Parameters<typeof planMemory>[0]): number {
  const { activations, constants } = planMemory(plan);
  return activations + constants;
}

/** Pixels in, faces out: pictures that fill the input size, uploaded every time. */
export async function openDetector(platform: Platform, device: GPUDevice, work: Workload): Promise<Runner> {
  const { model, size, scoreThreshold, autotune, precision } = work;
  const options = { device, autotune, precision };
  const session = await Session.open(platform, model, options, () => ({ dispose() {} }));
  const plan = await session.plan((lowering) => planDetector(model, work, session.context.traits, lowering));
  await session.dispose();
  const detector = await Detector.create(platform, work.bytes, { ...options, inputSize: size, scoreThreshold });
  const pictures = makePictures(work);
  return {
    provider: 'scrfd-webgpu',
    dispatches: plan.steps.length,
    memoryBytes: totalMemory(plan),
    run: () => detector.detectBatch(pictures),
    async time() {
      let times: StageTimes | null = null;
      await detector.detectBatch(pictures, {
        onTimings: ({ letterboxMs, networkMs, facesMs }) => {
          times = { letterbox: letterboxMs, network: networkMs, faces: facesMs };
        },
      });
      return times;
    },
    dispose: () => detector.dispose(),
  };
}

/** A float tensor in, the outputs as the file has them out: what onnxruntime's sessions do. */
export async function openNetwork(platform: Platform, device: GPUDevice, work: Workload): Promise<Runner> {
  const { model, size, batch, autotune, precision } = work;
  const input = makeInput(work);
  const inputShape = [batch, 3, size[1], size[0]] as const;
  const own = await Network.create(platform, work.bytes, { device, inputShape, autotune, precision });
  const plan = await own.plan();
  const timed = await openRuns(platform, model, { device, precision }, 'stage');
  return {
    provider: 'scrfd-network',
    dispatches: plan.steps.length,
    memoryBytes: totalMemory(plan),
    run: () => own.run(input),
    async time() {
      if (!timed) return null;
      const [network] = (await timed.use(
        'network',
        () => plan,
        (run) => run.run(),
      )) as [number];
      return { letterbox: 0, network, faces: 0 };
    },
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
    time: async () => null,
    dispose: () => session.release(),
  };
}

interface Entry {
  readonly runner: Runner;
  readonly wall: number[];
  readonly gpu: StageTimes[];
  /** Milliseconds of wall time beyond the GPU's, of the runs whose GPU times are known. */
  readonly outside: number[];
}

function summarizeStages(times: readonly StageTimes[]): StageTimes | null {
  if (times.length === 0) return null;
  const [letterbox, network, faces] = STAGES.map((stage) => median(times.map((each) => each[stage])));
  return { letterbox: letterbox!, network: network!, faces: faces! };
}

/**
 * Runs the runners in turn, so that what slows the machine for a while slows all of them, after warm-up runs, which
 * compile shaders and learn how long to sleep. GPU times come from runs of their own.
 */
export async function measure(
  runners: readonly Runner[],
  work: Workload,
  { runs, budgetMs }: MeasureOptions,
): Promise<Row[]> {
  const entries = runners.map((runner): Entry => ({ runner, wall: [], gpu: [], outside: [] }));
  for (const { runner } of entries) {
    const start = performance.now();
    for (let i = 0; i < WARM_UPS; i++) {
      if (i >= LEAST_WARM_UPS && performance.now() - start > budgetMs / 2) break;
      await runner.run();
    }
  }
  for (let i = 0; i < runs; i++) {
    for (const { runner, wall, gpu, outside } of entries) {
      const spent = wall.reduce((sum, ms) => sum + ms, 0);
      if (i >= LEAST_RUNS && spent > budgetMs) continue;
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
      let start = performance.now();
      await runner.run();
      wall.push(performance.now() - start);
      start = performance.now();
      const times = await runner.time();
      if (!times) continue;
      outside.push(performance.now() - start - sumStages(times));
      gpu.push(times);
    }
  }
  return entries.map(({ runner, wall, gpu, outside }) => {
    const { provider, dispatches, memoryBytes } = runner;
    const wallMs = summarize(wall);
    const stages = summarizeStages(gpu);
    return {
      model: work.name,
      size: work.size,
      batch: work.batch,
      provider,
      wallMs,
      runs: wall.length,
      gpuMs: stages && sumStages(stages),
      stagesMs: provider === 'scrfd-webgpu' ? stages : null,
      outsideMs: provider === 'scrfd-webgpu' && stages ? median(outside) : null,
      gflops: work.flops / 1e6 / wallMs.median,
      dispatches,
      memoryBytes,
    };
  });
}
