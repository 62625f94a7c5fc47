import type { Face } from '../common/face.ts';
import { TaskQueue } from '../common/task-queue.ts';
import { compileDetector } from '../graph/compile.ts';
import type { DetectorPlan } from '../graph/plan.ts';
import type { ConvChoices } from '../kernels/conv/methods.ts';
import { candidatesOf } from '../kernels/detection/decode.ts';
import { IMAGE_PARAMS_BYTES, type ImageParams, packImageParams } from '../kernels/detection/image-params.ts';
import { resizeTable } from '../kernels/detection/letterbox.ts';
import { faceBytes } from '../kernels/detection/nms.ts';
import type { Precision } from '../kernels/dispatch.ts';
import type { Model } from '../loader/model.ts';
import { ConstantStore } from '../runtime/constant-store.ts';
import { Executor } from '../runtime/executor.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import { GpuTimer } from '../runtime/gpu-timer.ts';
import { PlanCache } from '../runtime/plan-cache.ts';
import type { Tuner } from '../runtime/tuner.ts';
import { FaceReader } from './face-reader.ts';
import { type Picture, type PixelLayout, PixelStore } from './image-buffer.ts';
import { canvasesOf, type ImageSize, placeImage, type Settings, type Size, type Timings } from './options.ts';

const RESIZE_ENTRY_BYTES = 16;

/** A compiled plan with what its runs are written to and read from. */
class PreparedPlan {
  readonly plan: DetectorPlan;
  readonly executor: Executor;
  readonly resizeTable: GPUBuffer;
  readonly imageParams: GPUBuffer;
  readonly reader: FaceReader;
  readonly #context: GpuContext;
  readonly #timers: GpuTimer[] = [];
  readonly #freeTimers: GpuTimer[] = [];

  constructor(context: GpuContext, plan: DetectorPlan, executor: Executor) {
    const { batch, canvases, heads } = plan;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    const entries = canvases.reduce((sum, [width, height]) => sum + (width + height) * batch, 0);
    this.plan = plan;
    this.executor = executor;
    this.resizeTable = context.device.createBuffer({ label: 'resizeTable', size: entries * RESIZE_ENTRY_BYTES, usage });
    this.imageParams = context.device.createBuffer({
      label: 'imageParams',
      size: canvases.length * batch * IMAGE_PARAMS_BYTES,
      usage,
    });
    const imageBytes = faceBytes(candidatesOf(heads));
    this.reader = new FaceReader(context, { batch, imageBytes, keypoints: heads[0]!.keypoints });
    this.#context = context;
    executor.bind('resizeTable', this.resizeTable);
    executor.bind('imageParams', this.imageParams);
  }

  /** A timer for one run, to be given back; null where the device has none. */
  takeTimer(): GpuTimer | null {
    const timer = this.#freeTimers.pop() ?? GpuTimer.create(this.#context, this.plan, 'stage');
    if (timer && !this.#timers.includes(timer)) this.#timers.push(timer);
    return timer;
  }

  giveTimer(timer: GpuTimer): void {
    this.#freeTimers.push(timer);
  }

  dispose(): void {
    this.executor.dispose();
    this.resizeTable.destroy();
    this.imageParams.destroy();
    this.reader.dispose();
    for (const timer of this.#timers) timer.dispose();
  }
}

/** What a detector has on one device: weights, plans and pictures. A lost device takes all of it along. */
export class DetectorEngine {
  readonly context: GpuContext;
  readonly pixels: PixelStore;
  readonly #model: Model;
  readonly #precision: Precision;
  readonly #tuner: Tuner | null;
  readonly #constants: ConstantStore;
  readonly #plans = new PlanCache<PreparedPlan>();
  readonly #runs: TaskQueue;
  // writing pictures may wait; what is written next must not come before they are used
  readonly #submissions = new TaskQueue();

  /**
   * @param inFlight runs on the GPU at a time
   * @param tuner chooses kernels; without one the adapter's class does
   * @throws DeviceError when the device cannot compute with this precision
   */
  constructor(context: GpuContext, model: Model, inFlight: number, precision: Precision, tuner: Tuner | null) {
    context.assertPrecision(precision);
    this.context = context;
    this.#precision = precision;
    this.#tuner = tuner;
    this.pixels = new PixelStore(context);
    this.#model = model;
    this.#constants = new ConstantStore(context);
    this.#runs = new TaskQueue(inFlight);
  }

  /** Compiles for batches of this many images of this size. */
  async prepare(settings: Settings, images: readonly ImageSize[], signal?: AbortSignal): Promise<void> {
    await this.#use(settings, images, () => undefined, signal);
  }

  /** The faces of each picture. Runs may overlap and start in the order they were asked for. */
  run(
    pictures: readonly Picture[],
    settings: Settings,
    onTimings: ((timings: Timings) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Face[][]> {
    return this.#runs.run(async () => {
      signal?.throwIfAborted();
      return this.#use(settings, pictures, async (prepared) => {
        const timer = onTimings && prepared.takeTimer();
        try {
          const { faces } = await this.exclusively(async () => {
            this.context.assertUsable();
            const layouts = await this.pixels.write(pictures);
            this.#writeParams(prepared, settings, layouts);
            const { executor, plan, reader } = prepared;
            executor.bind('pixels', this.pixels.buffer);
            const encoder = this.context.device.createCommandEncoder();
            executor.encode(encoder, timer ?? undefined);
            // in an object, so that the next picture is written while this one's faces are awaited
            return { faces: reader.read(encoder, executor.buffer(plan.faces), executor.pace) };
          });
          const result = await faces;
          if (timer) {
            const [letterboxMs, networkMs, facesMs] = (await timer.read()) as [number, number, number];
            onTimings({ letterboxMs, networkMs, facesMs });
          }
          return result;
        } finally {
          if (timer) prepared.giveTimer(timer);
        }
      });
    });
  }

  /** Runs a task that writes pictures and submits what reads them, with no other between. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#submissions.run(task);
  }

  #use<R>(
    settings: Settings,
    images: readonly ImageSize[],
    task: (prepared: PreparedPlan) => Promise<R> | R,
    signal?: AbortSignal,
  ): Promise<R> {
    const canvases = canvasesOf(settings, this.#model, images);
    const key = `${images.length}: ${canvases.map((canvas) => canvas.join('×')).join(' + ')}`;
    return this.#plans.use(key, () => this.#compile(images.length, canvases, signal), task);
  }

  async #compile(batch: number, canvases: readonly Size[], signal?: AbortSignal): Promise<PreparedPlan> {
    const compile = (choices?: ConvChoices) =>
      compileDetector(this.#model, { batch, canvases }, this.context.traits, { choices, precision: this.#precision });
    const plan = this.#tuner ? await this.#tuner.plan(compile, signal) : compile();
    const executor = await Executor.create(this.context, this.#constants, plan);
    return new PreparedPlan(this.context, plan, executor);
  }

  /** Writes the resize tables and the parameters of every canvas and image. */
  #writeParams(
    { plan, resizeTable: table, imageParams }: PreparedPlan,
    settings: Settings,
    layouts: readonly PixelLayout[],
  ): void {
    const { queue } = this.context.device;
    const packed: ImageParams[] = [];
    let firstEntry = 0;
    for (const canvas of plan.canvases) {
      for (const layout of layouts) {
        const { width, height } = layout;
        const { newWidth, newHeight, scale } = placeImage(settings, layout, canvas);
        const tables = resizeTable(width, height, newWidth, newHeight, settings.interpolation);
        queue.writeBuffer(table, firstEntry * RESIZE_ENTRY_BYTES, tables);
        packed.push({ ...settings, ...layout, newWidth, newHeight, scale, firstEntry });
        firstEntry += newWidth + newHeight;
      }
    }
    queue.writeBuffer(imageParams, 0, packImageParams(packed));
  }

  async dispose(): Promise<void> {
    await this.#runs.idle();
    await this.#submissions.idle();
    await this.#plans.dispose();
    this.pixels.dispose();
    this.#constants.dispose();
    this.context.dispose();
  }
}
