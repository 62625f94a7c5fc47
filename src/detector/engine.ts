import { assertInFlight } from '../common/check.ts';
import type { Face } from '../common/face.ts';
import type { ImageSize, Size } from '../common/geometry.ts';
import type { OpenedImage, Pixels } from '../common/image.ts';
import { loadPart } from '../common/load-part.ts';
import { settleAll } from '../common/settle-all.ts';
import { TaskQueue } from '../common/task-queue.ts';
import type { LoweringOptions } from '../graph/lower.ts';
import { candidatesOf } from '../kernels/detection/decode.ts';
import { IMAGE_PARAMS_BYTES, type ImageParams, packImageParams } from '../kernels/detection/image-params.ts';
import { resizeTable } from '../kernels/detection/letterbox.ts';
import { faceBytes } from '../kernels/detection/nms.ts';
import type { Model } from '../loader/model.ts';
import type { Executor } from '../runtime/executor.ts';
import type { GpuContext, Own } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import type { GpuTimer, Granularity } from '../runtime/gpu-timer.ts';
import type { Platform } from '../runtime/platform.ts';
import type { OnCompile } from '../runtime/progress.ts';
import type { OnPhaseEnd } from '../runtime/run-phases.ts';
import { type CompileOptions, Session, type SessionOptions } from '../runtime/session.ts';
import type { Keypoints } from './align-faces.ts';
import { compileDetector, type DetectorPlan } from './compile.ts';
import { FaceReader, type FaceStaging } from './face-reader.ts';
import { ImageBuffer } from './image-buffer.ts';
import type { ImageLayout } from './image-layout.ts';
import { inputSizesFor, placeImage, type Settings } from './options.ts';

const RESIZE_ENTRY_BYTES = 16;

export interface EngineOptions extends SessionOptions {
  /** Runs on the GPU at a time. Default 2, and 1 where the CPU does the GPU's work. */
  readonly inFlight?: number | undefined;
}

type RunGranularity = Exclude<Granularity, 'step'>;

/** Who wants to know what a run takes; what nobody asks for is not measured. */
export interface RunObserver {
  /** The GPU's times, where the device has timestamps: milliseconds of the run, or of each of `STAGES`. */
  readonly gpuTimes?: {
    readonly by: RunGranularity;
    readonly report: (ms: readonly number[]) => void;
  };
  readonly onPhaseEnd?: OnPhaseEnd;
  readonly onCompile?: OnCompile | undefined;
}

/** What one run takes. */
interface Submission {
  readonly images: readonly OpenedImage[];
  readonly settings: Settings;
  readonly timer: GpuTimer | null | undefined;
  readonly staging: FaceStaging;
  readonly onPhaseEnd: OnPhaseEnd | undefined;
}

/** Where an image lands in the network's input, and how its pixels are resized to that. */
function resized(settings: Settings, image: ImageSize, inputSize: Size) {
  const placed = placeImage(settings, image, inputSize);
  const { newWidth, newHeight } = placed;
  return { ...placed, table: resizeTable(image.width, image.height, newWidth, newHeight, settings.interpolation) };
}

/** A compiled plan with what its runs are written to and read from. */
class PreparedPlan {
  readonly plan: DetectorPlan;
  readonly executor: Executor;
  readonly resizeTable: GPUBuffer;
  readonly imageParams: GPUBuffer;
  readonly reader: FaceReader;
  /** What `resizeTable` and `imageParams` were last written for, and whether they were. */
  written: { readonly wanted: string; readonly checked: Promise<void> } | null = null;
  readonly #context: GpuContext;
  readonly #timers: GpuTimer[] = [];
  readonly #freeTimers: Readonly<Record<RunGranularity, GpuTimer[]>> = { run: [], stage: [] };

  constructor(context: GpuContext, plan: DetectorPlan, executor: Executor, own: Own) {
    const { batch, inputSizes, heads } = plan;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    const entries = inputSizes.reduce((sum, [width, height]) => sum + (width + height) * batch, 0);
    this.plan = plan;
    this.executor = executor;
    const make = (label: string, size: number) => own(context.device.createBuffer({ label, size, usage }));
    this.resizeTable = make('resizeTable', entries * RESIZE_ENTRY_BYTES);
    this.imageParams = make('imageParams', inputSizes.length * batch * IMAGE_PARAMS_BYTES);
    const list = candidatesOf(heads);
    const { recordBytes } = list;
    this.reader = new FaceReader(context, {
      ...{ batch, recordBytes, imageBytes: faceBytes(list), keypoints: heads[0]!.keypoints },
    });
    this.#context = context;
    executor.bind('resizeTable', this.resizeTable);
    executor.bind('imageParams', this.imageParams);
  }

  /** A timer for one run, to be given back; null where the device has none. */
  async takeTimer(by: RunGranularity): Promise<GpuTimer | null> {
    // pages load what few ask for when it is asked for
    const { GpuTimer } = await loadPart(() => import('../runtime/gpu-timer.ts'));
    const create = () => this.#context.allocate('timing', () => GpuTimer.create(this.#context, this.plan, by));
    const timer = this.#freeTimers[by].pop() ?? (await create());
    if (timer && !this.#timers.includes(timer)) this.#timers.push(timer);
    return timer;
  }

  giveTimer(by: RunGranularity, timer: GpuTimer): void {
    this.#freeTimers[by].push(timer);
  }

  /** Takes nothing of a run that failed over into the next one. */
  forget(): void {
    this.written = null;
    this.executor.forget();
  }

  dispose(): void {
    this.resizeTable.destroy();
    this.imageParams.destroy();
    this.reader.dispose();
    for (const timer of this.#timers) timer.dispose();
  }
}

/** What a detector has on one device: a session and the images under way. A lost device takes all of it along. */
export class DetectorEngine {
  readonly #session: Session<DetectorPlan, PreparedPlan>;
  readonly #images: ImageBuffer;
  readonly #runs: TaskQueue;
  // writing images may wait, and writes reach the GPU in the order of submissions: what is written next must not come
  // before they are used
  readonly #submissions = new TaskQueue();

  private constructor(session: Session<DetectorPlan, PreparedPlan>, inFlight: number) {
    this.#session = session;
    this.#images = new ImageBuffer(session.context, inFlight);
    this.#runs = new TaskQueue(inFlight);
  }

  /** @throws RangeError for wrong options, DeviceError when there is no device or it lacks the precision */
  static async open(platform: Platform, model: Model, options: EngineOptions): Promise<DetectorEngine> {
    const { inFlight } = options;
    if (inFlight !== undefined) assertInFlight(inFlight);
    const prepare = (context: GpuContext, plan: DetectorPlan, executor: Executor, own: Own) =>
      new PreparedPlan(context, plan, executor, own);
    const session = await Session.open(platform, model, options, prepare);
    return new DetectorEngine(session, inFlight ?? (session.context.traits.software ? 1 : 2));
  }

  get context(): GpuContext {
    return this.#session.context;
  }

  /** The plan for batches of this many images of this size, compiled. */
  prepare(settings: Settings, images: readonly ImageSize[], options?: CompileOptions): Promise<DetectorPlan> {
    return this.#use(settings, images, ({ plan }) => plan, options);
  }

  /** The faces of each image. Runs may overlap and start in the order they were asked for. */
  run(
    images: readonly OpenedImage[],
    settings: Settings,
    { gpuTimes, onPhaseEnd, onCompile }: RunObserver = {},
    signal?: AbortSignal,
  ): Promise<Face[][]> {
    return this.#runs.run(async () => {
      signal?.throwIfAborted();
      const task = async (prepared: PreparedPlan) => {
        const timer = gpuTimes && (await prepared.takeTimer(gpuTimes.by));
        const staging = await prepared.reader.takeStaging();
        const submit = () => this.#submit(prepared, { images, settings, timer, staging, onPhaseEnd });
        try {
          const { faces } = await this.#submissions.run(submit);
          const result = await faces;
          if (timer) gpuTimes.report(await timer.read());
          return result;
        } catch (error) {
          prepared.forget();
          throw error;
        } finally {
          if (timer) prepared.giveTimer(gpuTimes.by, timer);
          prepared.reader.giveStaging(staging);
        }
      };
      return this.#use(settings, images, task, { onCompile });
    });
  }

  /** @returns the faces in an object: a bare promise would be awaited inside the lock */
  async #submit(prepared: PreparedPlan, { images, settings, timer, staging, onPhaseEnd }: Submission) {
    this.context.assertUsable();
    const encoder = this.context.device.createCommandEncoder();
    const { inputSizes } = prepared.plan;
    const { layouts, put } = await this.#images.write(images, encoder, async (image) => {
      // pages load what few need when it is needed
      const { Sampled } = await loadPart(() => import('./sampled.ts'));
      const resizes = inputSizes.map((inputSize) => resized(settings, image, inputSize));
      return Sampled.by(image, resizes);
    });
    const { result, checked } = this.context.scoped('finding faces', () => {
      const { executor, plan, reader } = prepared;
      const uploaded = put();
      const written = this.#writeParams(prepared, settings, layouts);
      onPhaseEnd?.('upload');
      executor.bind('pixels', this.#images.buffer);
      const commands = executor.commands(timer ?? undefined);
      commands[0]!.unshift(encoder.finish());
      // submits before it first waits
      const faces = reader.read(staging, commands, executor.buffer(plan.faces), executor.pacer, onPhaseEnd);
      executor.encodeAhead();
      return { uploaded, written, faces };
    });
    const ended = settleAll([result.uploaded, result.written, checked, result.faces]);
    return { faces: ended.then(([, , , faces]) => faces) };
  }

  /** Aligned crops of faces in one image: see `Detector.alignFaces`. */
  async alignFaces(image: OpenedImage, faces: readonly Keypoints[], size: number): Promise<Pixels[]> {
    // pages load what few ask for when it is asked for
    const { alignFaces } = await loadPart(() => import('./align-faces.ts'));
    return this.#submissions.run(() => alignFaces(this.context, this.#images, image, faces, size));
  }

  #use<R>(
    settings: Settings,
    images: readonly ImageSize[],
    task: (prepared: PreparedPlan) => Promise<R> | R,
    options?: CompileOptions,
  ): Promise<R> {
    const { model, target } = this.#session;
    const batch = images.length;
    const inputSizes = inputSizesFor(settings, model, images);
    const key = `${batch}: ${inputSizes.map((size) => size.join('×')).join(' + ')}`;
    const compile = (options: LoweringOptions) => compileDetector(model, { batch, inputSizes }, target, options);
    return this.#session.use(key, compile, task, options);
  }

  /**
   * Writes the resize tables and the parameters of every input size and image, unless the plan's last run had the same.
   * Runs that overlap share them: they are written in the order of submissions.
   * @returns whether they are there, whichever run wrote them
   */
  #writeParams(prepared: PreparedPlan, settings: Settings, layouts: readonly ImageLayout[]): Promise<void> {
    const { plan, imageParams } = prepared;
    const wanted = JSON.stringify([settings, layouts]);
    if (prepared.written?.wanted === wanted) return prepared.written.checked;
    // nothing is known of them if this fails half-way
    prepared.written = null;
    const { queue } = this.context.device;
    const { checked } = this.context.scoped('uploading', () => {
      const packed: ImageParams[] = [];
      let firstEntry = 0;
      for (const inputSize of plan.inputSizes) {
        for (const layout of layouts) {
          const { newWidth, newHeight, scale, table } = resized(settings, layout, inputSize);
          layout.sampled?.renumber(table, newWidth);
          queue.writeBuffer(prepared.resizeTable, firstEntry * RESIZE_ENTRY_BYTES, table);
          packed.push({ ...settings, ...layout, newWidth, newHeight, scale, firstEntry });
          firstEntry += newWidth + newHeight;
        }
      }
      queue.writeBuffer(imageParams, 0, packImageParams(packed));
    });
    prepared.written = { wanted, checked };
    return checked;
  }

  async dispose(): Promise<void> {
    await this.#runs.idle();
    await this.#submissions.idle();
    this.#images.dispose();
    await this.#session.dispose();
  }
}
