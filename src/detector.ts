import { ConstantStore } from './constant-store.ts';
import { GpuContext } from './device.ts';
import { DisposedError } from './errors.ts';
import { Executor } from './executor.ts';
import type { Face, Pixels } from './face.ts';
import { BufferUsage } from './gpu-flags.ts';
import { compileDetector } from './graph/compile.ts';
import type { DetectorPlan } from './graph/plan.ts';
import { RECORD_BYTES } from './kernels/decode.ts';
import { FRAME_BYTES, packFrames } from './kernels/frame.ts';
import { fitLetterbox, letterboxTaps } from './kernels/letterbox.ts';
import { FACES_HEADER_BYTES } from './kernels/nms.ts';
import { declaredSize, type Model } from './loader/model.ts';
import { type ModelInput, openModel } from './model-source.ts';
import { identifyModel, type ModelIdentity } from './models/identify.ts';
import { PlanCache } from './plan-cache.ts';
import type { Platform } from './platform.ts';
import { TaskQueue } from './task-queue.ts';

/** Width, height. */
export type Size = readonly [width: number, height: number];

/** How to choose when more faces than `maxFaces` are found: large and near the image centre, or just large. */
export type MaxFacesMetric = 'default' | 'max';

export interface DetectOptions {
  /** Least score of a face, 0 to 1. Default 0.5. */
  readonly scoreThreshold?: number;
  /** Overlap above which the weaker of two boxes is dropped, 0 to 1. Default 0.4. */
  readonly iouThreshold?: number;
  /** Faces at most; 0, the default, means all. */
  readonly maxFaces?: number;
  readonly maxFacesMetric?: MaxFacesMetric;
  /**
   * Size that pictures are fitted into, in pixels, rounded up to what the model's strides need. Default 640×640, or
   * the size that the file fixes. The first use of a size compiles it; all sizes share the weights.
   */
  readonly inputSize?: Size;
  readonly signal?: AbortSignal;
}

export interface DetectorOptions extends DetectOptions {
  /** A device to share; it is never destroyed. By default the detector opens and owns one. */
  readonly device?: GPUDevice;
}

/** Pixels, encoded bytes, a path or a URL. */
export type ImageInput = Pixels | Uint8Array | ArrayBuffer | string | URL;

interface Prepared {
  readonly plan: DetectorPlan;
  readonly executor: Executor;
  readonly taps: GPUBuffer;
  readonly frames: GPUBuffer;
}

interface Thresholds {
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
  readonly maxFaces: number;
  readonly maxFacesMetric: MaxFacesMetric;
}

const DEFAULT_SIZE: Size = [640, 640];
/** Faces that the first read-back of an image holds; crowds take a second one. */
const FIRST_FACES = 64;
const RECORD_FLOATS = RECORD_BYTES / 4;

/** Strides of a model by its number of outputs: the person model's go to 128. */
function largestStride(model: Model): number {
  return model.outputs.length === 10 || model.outputs.length === 15 ? 128 : 32;
}

function roundSize([width, height]: Size, stride: number): Size {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new RangeError(`inputSize: expected two positive integers [width, height], got [${width}, ${height}]`);
  }
  return [Math.ceil(width / stride) * stride, Math.ceil(height / stride) * stride];
}

function readThresholds(options: DetectOptions): Thresholds {
  const { scoreThreshold = 0.5, iouThreshold = 0.4, maxFaces = 0, maxFacesMetric = 'default' } = options;
  for (const [name, value] of Object.entries({ scoreThreshold, iouThreshold })) {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name}: expected a number from 0 to 1, got ${value}`);
  }
  if (!Number.isInteger(maxFaces) || maxFaces < 0 || maxFaces > 0x7fffffff) {
    throw new RangeError(`maxFaces: expected a non-negative integer, got ${maxFaces}`);
  }
  if (maxFacesMetric !== 'default' && maxFacesMetric !== 'max') {
    throw new RangeError(`maxFacesMetric: expected 'default' or 'max', got ${String(maxFacesMetric)}`);
  }
  return { scoreThreshold, iouThreshold, maxFaces, maxFacesMetric };
}

function isPixels(image: ImageInput): image is Pixels {
  return typeof image === 'object' && image !== null && 'data' in image && 'width' in image;
}

function assertPixels({ data, width, height, channels }: Pixels): void {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new RangeError(`image: expected a width and height of at least 1 pixel, got ${width}×${height}`);
  }
  if (channels !== 3 && channels !== 4) throw new RangeError(`image: expected 3 or 4 channels, got ${channels}`);
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    throw new TypeError('image: expected data to be a Uint8Array or Uint8ClampedArray');
  }
  const expected = width * height * channels;
  if (data.length !== expected) {
    throw new RangeError(`image: expected ${expected} bytes for ${width}×${height}×${channels}, got ${data.length}`);
  }
}

/** Finds faces as insightface's SCRFD does, from pixels to boxes on the GPU. */
export class Detector {
  readonly #context: GpuContext;
  readonly #platform: Platform;
  readonly #model: Model;
  readonly #options: DetectOptions;
  readonly #constants: ConstantStore;
  readonly #plans = new PlanCache<Prepared>();
  readonly #queue = new TaskQueue();
  readonly #staging: GPUBuffer;
  #pixels: GPUBuffer | null = null;
  #disposed = false;

  /** What the model is, as far as it is known; null for none of the detectors that this package knows. */
  readonly identity: ModelIdentity | null;

  private constructor(
    context: GpuContext,
    platform: Platform,
    model: Model,
    identity: ModelIdentity | null,
    options: DetectOptions,
  ) {
    this.#context = context;
    this.#platform = platform;
    this.#model = model;
    this.identity = identity;
    this.#options = options;
    this.#constants = new ConstantStore(context);
    this.#staging = context.device.createBuffer({
      label: 'read-back',
      size: FACES_HEADER_BYTES + FIRST_FACES * RECORD_BYTES,
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    });
  }

  /** For the entries of each platform; users call `createDetector`. */
  static async create(platform: Platform, input: ModelInput, options: DetectorOptions): Promise<Detector> {
    const { device, signal, ...rest } = options;
    readThresholds(rest);
    const { bytes, model } = await openModel(platform, input, signal);
    const identity = await identifyModel(bytes, model);
    const context = await GpuContext.open(platform, device);
    const detector = new Detector(context, platform, model, identity, rest);
    try {
      signal?.throwIfAborted();
      await detector.#prepare(detector.inputSize);
      signal?.throwIfAborted();
    } catch (error) {
      await detector.dispose();
      throw error;
    }
    return detector;
  }

  /** Width and height that pictures are fitted into unless `detect` says otherwise. */
  get inputSize(): Size {
    return this.#sizeOf(this.#options.inputSize);
  }

  /** Whether this model finds the five facial keypoints. */
  get hasKeypoints(): boolean {
    return this.#model.outputs.length === 9 || this.#model.outputs.length === 15;
  }

  /**
   * Finds faces in one picture; calls may overlap, they run in order. Pixels are not copied: leave them as they are until
   * the promise settles.
   * @returns boxes and keypoints in pixels of the picture, by score descending, or by `maxFacesMetric` where
   * `maxFaces` left some out
   * @throws RangeError or TypeError for bad arguments, ImageError for an unreadable picture, DeviceError,
   * DisposedError, and `signal.reason` when aborted
   */
  async detect(image: ImageInput, options: DetectOptions = {}): Promise<Face[]> {
    const merged = { ...this.#options, ...options };
    const thresholds = readThresholds(merged);
    const size = this.#sizeOf(merged.inputSize);
    options.signal?.throwIfAborted();
    this.#context.assertUsable();
    const pixels = isPixels(image) ? image : await this.#platform.readImage(image, options.signal);
    assertPixels(pixels);
    // while the picture was being read; what is queued before is still done
    if (this.#disposed) throw new DisposedError('this detector has been disposed');
    return this.#queue.run(async () => {
      options.signal?.throwIfAborted();
      const prepared = await this.#prepare(size);
      this.#context.assertUsable();
      this.#upload(prepared, pixels, thresholds);
      const faces = await this.#runOnce(prepared);
      options.signal?.throwIfAborted();
      return faces;
    });
  }

  #sizeOf(wanted: Size | undefined): Size {
    return roundSize(wanted ?? declaredSize(this.#model) ?? DEFAULT_SIZE, largestStride(this.#model));
  }

  /** Writes the picture, the resize coefficients and the frame's parameters. */
  #upload({ plan, executor, taps, frames }: Prepared, image: Pixels, thresholds: Thresholds): void {
    const { queue } = this.#context.device;
    const { width, height, channels, data } = image;
    const pixels = this.#pixelBuffer(data.length);
    // WebGPU writes whole words; the last bytes go in one of their own
    const whole = data.length - (data.length % 4);
    queue.writeBuffer(pixels, 0, data as Uint8Array<ArrayBuffer>, 0, whole);
    if (whole < data.length) {
      const rest = new Uint8Array(4);
      rest.set(data.subarray(whole));
      queue.writeBuffer(pixels, whole, rest);
    }
    const { newWidth, newHeight, scale } = fitLetterbox(width, height, plan.width, plan.height);
    queue.writeBuffer(taps, 0, letterboxTaps(width, height, newWidth, newHeight));
    const frame = {
      ...{ width, height, channels, newWidth, newHeight, scale },
      firstWord: 0,
      firstTap: 0,
      scoreThreshold: thresholds.scoreThreshold,
      iouThreshold: thresholds.iouThreshold,
      maxFaces: thresholds.maxFaces,
      preferCentral: thresholds.maxFacesMetric === 'default',
    };
    queue.writeBuffer(frames, 0, packFrames([frame]));
    executor.bind('pixels', pixels);
  }

  /** A buffer for at least this many bytes; it grows and never shrinks. */
  #pixelBuffer(bytes: number): GPUBuffer {
    // a pixel that straddles two words reads one word further
    const needed = Math.ceil(bytes / 4) * 4 + 4;
    if (this.#pixels && this.#pixels.size >= needed) return this.#pixels;
    this.#context.assertBindable(needed, 'the picture');
    this.#pixels?.destroy();
    this.#pixels = this.#context.device.createBuffer({
      label: 'pixels',
      size: needed,
      usage: BufferUsage.STORAGE | BufferUsage.COPY_DST,
    });
    return this.#pixels;
  }

  async #runOnce({ plan, executor }: Prepared): Promise<Face[]> {
    const { device } = this.#context;
    const buffer = executor.buffer(plan.faces);
    const encoder = device.createCommandEncoder();
    executor.encode(encoder);
    const bytes = Math.min(this.#staging.size, buffer.size);
    const parts = [{ buffer, offset: 0, bytes }];
    const [first] = await this.#context.read(encoder, this.#staging, parts, executor.pace);
    const values = new Float32Array(first!);
    const count = values[0]!;
    const records = values.subarray(FACES_HEADER_BYTES / 4);
    if (count <= FIRST_FACES) return this.#readFaces(records, count);
    const rest = await this.#readRest(buffer, count);
    return [...this.#readFaces(records, FIRST_FACES), ...this.#readFaces(rest, count - FIRST_FACES)];
  }

  /** The faces that did not fit the first read-back. */
  async #readRest(buffer: GPUBuffer, count: number): Promise<Float32Array> {
    const { device } = this.#context;
    const offset = FACES_HEADER_BYTES + FIRST_FACES * RECORD_BYTES;
    const bytes = (count - FIRST_FACES) * RECORD_BYTES;
    const usage = BufferUsage.MAP_READ | BufferUsage.COPY_DST;
    const staging = device.createBuffer({ label: 'read-back of a crowd', size: bytes, usage });
    try {
      const [rest] = await this.#context.read(device.createCommandEncoder(), staging, [{ buffer, offset, bytes }]);
      return new Float32Array(rest!);
    } finally {
      staging.destroy();
    }
  }

  #readFaces(records: Float32Array, count: number): Face[] {
    return Array.from({ length: count }, (_, i): Face => {
      const [x1, y1, x2, y2, score, ...points] = records.subarray(i * RECORD_FLOATS, (i + 1) * RECORD_FLOATS);
      const face = { box: [x1!, y1!, x2!, y2!] as const, score: score! };
      if (!this.hasKeypoints) return face;
      return {
        ...face,
        keypoints: Array.from({ length: 5 }, (_, k) => [points[2 * k]!, points[2 * k + 1]!] as const),
      };
    });
  }

  #prepare(size: Size): Promise<Prepared> {
    return this.#plans.get(size.join('×'), () => this.#compile(size));
  }

  async #compile([width, height]: Size): Promise<Prepared> {
    const { device, traits } = this.#context;
    const plan = compileDetector(this.#model, { batch: 1, width, height }, traits);
    const executor = await Executor.create(this.#context, this.#constants, plan);
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    const taps = device.createBuffer({ label: 'taps', size: (width + height) * 16, usage });
    const frames = device.createBuffer({ label: 'frames', size: FRAME_BYTES, usage });
    executor.bind('taps', taps);
    executor.bind('frames', frames);
    return { plan, executor, taps, frames };
  }

  /** Frees all GPU memory once the calls under way have ended. Idempotent. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#queue.idle();
    for (const { executor, taps, frames } of await this.#plans.settled()) {
      executor.dispose();
      taps.destroy();
      frames.destroy();
    }
    this.#pixels?.destroy();
    this.#staging.destroy();
    this.#constants.dispose();
    this.#context.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
