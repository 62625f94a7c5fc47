import type { ModelIdentity } from '../architectures/identify.ts';
import { assertKnown, type OptionNames } from '../common/check.ts';
import { classNameOf } from '../common/class-name.ts';
import type { Face } from '../common/face.ts';
import type { Size } from '../common/geometry.ts';
import { type ImageInput, isPixels, type OpenedImage, type Pixels, steadyPixels } from '../common/image.ts';
import type { ReadLimits } from '../common/limits.ts';
import { loadPart } from '../common/load-part.ts';
import { sha256 } from '../common/sha256.ts';
import { TypedEventTarget } from '../common/typed-event-target.ts';
import type { Precision } from '../kernels/dispatch.ts';
import { declaredSize, type Model } from '../loader/model.ts';
import { type ModelInput, openModel } from '../runtime/open-model.ts';
import type { LiveInput, Platform } from '../runtime/platform.ts';
import { type DeviceEventMap, Renewable } from '../runtime/renewable.ts';
import { DetectorEngine, type RunObserver } from './engine.ts';
import { headLayoutOf } from './heads.ts';
import { readKeypoints } from './keypoints.ts';
import {
  DETECT_OPTIONS,
  type DetectOptions,
  mergeOptions,
  readSettings,
  type Settings,
  type Timings,
} from './options.ts';
import type { StreamOptions, StreamResult } from './stream.ts';

export interface DetectorOptions extends DetectOptions {
  /** A device to share; it is never destroyed. By default the detector opens and owns one. */
  readonly device?: GPUDevice;
  /** Frames on the GPU at a time. Default 2, and 1 where the CPU does the GPU's work. */
  readonly inFlight?: number;
  /**
   * Time the likely ways to compute each convolution on this adapter and take the fastest, instead of the most likely one.
   * It takes seconds the first time that an adapter meets a model at a size; what is found is kept for later runs. Faces
   * differ by rounding from those of another choice. Default false.
   */
  readonly autotune?: boolean;
  /**
   * How values are stored between layers: `f16` halves the memory and the traffic where the device has the feature
   * `shader-f16`; sums stay float32. Scores differ by up to about 0.001 from those of `f32`, the default, and boxes by up to
   * about 0.15 pixels of the input.
   */
  readonly precision?: Precision;
  /**
   * Whether `createDetector` also searches an empty picture, so that the first real one takes no longer than others: some
   * drivers, Mesa's software adapter for one, compile a kernel when it first runs. Default false; not with `inputSize: 'image'`.
   */
  readonly warmUp?: boolean;
  /** What is read of models and pictures at most, in Node. */
  readonly limits?: ReadLimits;
}

const DETECTOR_OPTIONS: OptionNames<DetectorOptions> = {
  ...DETECT_OPTIONS,
  ...{ device: 1, inFlight: 1, autotune: 1, precision: 1, warmUp: 1, limits: 1 },
};

export interface AlignOptions {
  /** Side of the crops: a multiple of 112 or 128, 16,384 at most. Default 112. */
  readonly size?: number;
  readonly signal?: AbortSignal;
}

export type DetectorEventMap = DeviceEventMap;

const ALIGN_OPTIONS: OptionNames<AlignOptions> = { size: 1, signal: 1 };

const EMPTY: OpenedImage = { kind: 'pixels', data: new Uint8Array(3), width: 1, height: 1, channels: 3 };

function observeStages(onTimings: (timings: Timings) => void): RunObserver {
  const report = ([letterboxMs, networkMs, facesMs]: readonly number[]) =>
    onTimings({ letterboxMs: letterboxMs!, networkMs: networkMs!, facesMs: facesMs! });
  return { gpuTimes: { by: 'stage', report } };
}

/** Finds faces as insightface's SCRFD does, from pixels to boxes on the GPU. */
export class Detector extends TypedEventTarget<DetectorEventMap> {
  readonly #platform: Platform;
  readonly #model: Model;
  readonly #hash: string | undefined;
  readonly #options: DetectorOptions;
  readonly #settings: Settings;
  readonly #engine: Renewable<DetectorEngine>;

  private constructor(
    platform: Platform,
    model: Model,
    hash: string | undefined,
    options: DetectorOptions,
    settings: Settings,
    engine: DetectorEngine,
  ) {
    super();
    this.#platform = platform;
    this.#model = model;
    this.#hash = hash;
    this.#options = options;
    this.#settings = settings;
    this.#engine = new Renewable(this, engine, () => DetectorEngine.open(platform, model, options));
  }

  /** For the entries of each platform; users call `createDetector`. */
  static async create(platform: Platform, input: ModelInput, options: DetectorOptions): Promise<Detector> {
    assertKnown(options, DETECTOR_OPTIONS);
    const { signal, onProgress, warmUp = false, ...rest } = options;
    const { bytes, model } = await openModel(platform, input, { signal, onProgress, limits: rest.limits });
    // before a device is opened
    const settings = readSettings(rest, model);
    if (warmUp && settings.sizes === 'image') {
      throw new RangeError("warmUp: expected an inputSize to compile for, got 'image'");
    }
    const hash = await sha256(bytes);
    const engine = await DetectorEngine.open(platform, model, rest);
    const detector = new Detector(platform, model, hash, rest, settings, engine);
    try {
      signal?.throwIfAborted();
      // the size that pictures will have is not known yet where it is their own
      if (settings.sizes !== 'image') await engine.prepare(settings, [EMPTY], { signal, onCompile: onProgress });
      if (warmUp) await engine.run([EMPTY], settings, {}, signal);
      signal?.throwIfAborted();
    } catch (error) {
      await detector.dispose();
      throw error;
    }
    return detector;
  }

  /** Width and height that pictures are fitted into unless `detect` says otherwise; the last of several sizes. */
  get inputSize(): Size | 'image' {
    const { sizes } = this.#settings;
    return sizes === 'image' ? sizes : sizes.at(-1)!;
  }

  /** The one size that the file fixes, if it fixes one. */
  get fixedInputSize(): Size | null {
    return declaredSize(this.#model) ?? null;
  }

  /** Points of a face that this model finds: 5 of SCRFD and RetinaFace as published, 0 of a model for boxes alone. */
  get keypointCount(): number {
    return headLayoutOf(this.#model)?.keypoints ?? 0;
  }

  /** Whether this model finds keypoints; crops are aligned by five. */
  get hasKeypoints(): boolean {
    return this.keypointCount > 0;
  }

  /** What the model is, as far as it is known; null for none of the detectors that this package knows. */
  async identify(): Promise<ModelIdentity | null> {
    const layout = headLayoutOf(this.#model);
    if (!layout) return null;
    const { identifyModel } = await loadPart(() => import('../architectures/identify.ts'));
    return identifyModel(this.#hash, this.#model, layout);
  }

  /** The device in use: textures made on it are pictures to this detector. Another one after a loss. */
  get device(): GPUDevice {
    return this.#engine.current.context.device;
  }

  /**
   * Finds faces in one picture; calls may overlap, they start in order. Pixels are not copied: leave them as they are until
   * the promise settles.
   * @returns boxes and keypoints in pixels of the picture, by score descending, or by `maxFacesMetric` where
   * `maxFaces` left some out
   * @throws RangeError or TypeError for bad arguments, ImageError for an unreadable picture, DeviceError,
   * DisposedError, and `signal.reason` when aborted
   */
  async detect(image: ImageInput, options: DetectOptions = {}): Promise<Face[]> {
    const [faces] = await this.detectBatch([image], options);
    return faces!;
  }

  /**
   * Finds faces in several pictures of any sizes at once, in one submission. Results equal those of one call each; each
   * number of pictures is compiled when it first comes.
   * @throws what `detect` does; one bad picture fails the batch
   */
  async detectBatch(images: readonly ImageInput[], options: DetectOptions = {}): Promise<Face[][]> {
    assertKnown(options, DETECT_OPTIONS);
    const { onTimings, onProgress, signal, ...merged } = mergeOptions(this.#options, options);
    const settings = readSettings(merged, this.#model);
    return this.#engine.call(signal, async () => {
      if (images.length === 0) return [];
      return this.#withImages(images, signal, async (opened) => {
        const engine = await this.#engine.usable();
        return engine.run(
          opened,
          settings,
          { ...(onTimings && observeStages(onTimings)), onCompile: onProgress },
          signal,
        );
      });
    });
  }

  /**
   * Finds faces in frames as they come: of a video element, a camera's track or stream, or anything that can be iterated
   * over. Results come in order. Live sources give their newest frame whenever there is room for one; their frames
   * are closed when the loop goes on. Leaving the loop frees everything.
   * @throws what `detect` does
   */
  stream(
    source: LiveInput,
    options?: StreamOptions,
  ): AsyncGenerator<StreamResult<VideoFrame | ImageBitmap, Face[]>, void, undefined>;
  stream<F extends ImageInput>(
    source: AsyncIterable<F> | Iterable<F>,
    options?: StreamOptions,
  ): AsyncGenerator<StreamResult<F, Face[]>, void, undefined>;
  async *stream<F extends ImageInput>(
    source: LiveInput | AsyncIterable<F> | Iterable<F>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamResult<F | VideoFrame | ImageBitmap, Face[]>, void, undefined> {
    // pages load what few ask for when it is asked for
    const { streamFaces } = await loadPart(() => import('./stream.ts'));
    yield* streamFaces(this.#platform, source, (frame, each) => this.detect(frame, each), options);
  }

  /**
   * Square crops in which the keypoints lie where ArcFace's recognition models were trained to find them; as
   * insightface's `norm_crop`, black beyond the picture. All faces in one dispatch.
   * @param faces of this picture, with five keypoints each: the eyes, the nose, the corners of the mouth
   * @returns RGB pixels, `size`×`size`, one crop a face
   * @throws RangeError for another size, TypeError for a face without five keypoints, and what `detect` does
   */
  async alignFaces(
    image: ImageInput,
    faces: readonly Pick<Face, 'keypoints'>[],
    options: AlignOptions = {},
  ): Promise<Pixels[]> {
    assertKnown(options, ALIGN_OPTIONS);
    const { size = 112, signal } = options;
    const keypoints = faces.map(readKeypoints);
    return this.#engine.call(signal, () =>
      this.#withImages([image], signal, async ([opened]) => {
        const engine = await this.#engine.usable();
        return engine.alignFaces(opened!, keypoints, size);
      }),
    );
  }

  /** Opens images, hands them to a task, and frees what was opened for it. */
  async #withImages<T>(
    images: readonly ImageInput[],
    signal: AbortSignal | undefined,
    task: (opened: readonly OpenedImage[]) => Promise<T>,
  ): Promise<T> {
    const results = await Promise.allSettled(images.map((image) => this.#open(image, signal)));
    const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    try {
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return await task(opened);
    } finally {
      for (const image of opened) if (image.kind === 'source') image.close();
    }
  }

  async #open(image: ImageInput, signal: AbortSignal | undefined): Promise<OpenedImage> {
    if (classNameOf(image) === 'GPUTexture') {
      // pages load what few ask for when it is asked for
      const { openTexture } = await loadPart(() => import('./open-texture.ts'));
      return openTexture(image as GPUTexture);
    }
    if (isPixels(image)) return { ...steadyPixels(image), kind: 'pixels' };
    const opened = await this.#platform.openImage(image, signal, this.#options.limits);
    return opened.kind === 'pixels' ? { ...steadyPixels(opened), kind: 'pixels' } : opened;
  }

  /** Frees all GPU memory once the calls under way have ended. Idempotent. */
  dispose(): Promise<void> {
    return this.#engine.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
