import type { ModelIdentity } from '../../architectures/identify.ts';
import { readBytes } from '../../common/caller-memory.ts';
import { DisposedError } from '../../common/errors.ts';
import type { Face } from '../../common/face.ts';
import type { Size } from '../../common/geometry.ts';
import type { ImageInput, Pixels } from '../../common/image.ts';
import { TaskQueue } from '../../common/task-queue.ts';
import { TypedEventTarget } from '../../common/typed-event-target.ts';
import type { AlignOptions, Detector, DetectorEventMap, DetectorOptions } from '../../detector/detector.ts';
import type { DetectOptions, Timings } from '../../detector/options.ts';
import { type StreamOptions, type StreamResult, streamFaces } from '../../detector/stream.ts';
import { findModel } from '../../models/registry.ts';
import type { ModelInput } from '../../runtime/open-model.ts';
import type { LiveInput } from '../../runtime/platform.ts';
import type { Progress } from '../../runtime/progress.ts';
import { sendImage } from '../images.ts';
import { pageUrl } from '../page-url.ts';
import { browserPlatform } from '../platform.ts';
import { type Created, type Message, type Request, receiveError } from './protocol.ts';

export interface WorkerDetectorOptions extends Omit<DetectorOptions, 'device'> {
  /** Starts the worker where a bundler does not find it by itself: a module worker of the package's `worker.js`. */
  readonly createWorker?: () => Worker;
}

/** What a worker's detector can do: all but textures, which cannot leave their thread. */
type Shared = Pick<
  Detector,
  | 'inputSize'
  | 'fixedInputSize'
  | 'keypointCount'
  | 'hasKeypoints'
  | 'detect'
  | 'detectBatch'
  | 'alignFaces'
  | 'identify'
  | 'dispose'
  | 'addEventListener'
  | typeof Symbol.asyncDispose
>;

interface Call {
  readonly resolve: (value: never) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onTimings?: ((timings: Timings) => void) | undefined;
}

type Callbacks = Pick<Call, 'onProgress' | 'onTimings'> & { readonly signal?: AbortSignal | undefined };
type Unsent<T> = T extends unknown ? Omit<T, 'id'> : never;

function startWorker(): Worker {
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  } catch (cause) {
    const advice = "pass createWorker, which starts one of the page's own that imports it: see docs/worker.md";
    throw new Error(`the detector's worker cannot start (${(cause as Error).message}): ${advice}`, { cause });
  }
}

/** A model as a worker can take it: addresses are relative to the page. */
function sendModel(model: ModelInput): unknown {
  if (model instanceof URL) return model.href;
  if (typeof model !== 'string') return readBytes(model) ?? model;
  if (findModel(model)) return model;
  return pageUrl(model).href;
}

/** A `Detector` in a worker of its own: the page stays smooth while pictures are decoded and faces found. */
export class WorkerDetector extends TypedEventTarget<DetectorEventMap> implements Shared {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  readonly #begun = new TaskQueue(Number.POSITIVE_INFINITY);
  #created: Created = { inputSize: 'image', fixedInputSize: null, keypointCount: 0 };
  #lastId = 0;
  #disposal: Promise<void> | null = null;

  private constructor(worker: Worker) {
    super();
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<Message>) => this.#receive(data));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#fail(new Error(`the detector's worker failed: ${event.message || 'its script cannot be loaded'}`));
    });
  }

  /** For the entry of pages; users call `createWorkerDetector`. */
  static async create(model: ModelInput, options: WorkerDetectorOptions): Promise<WorkerDetector> {
    const { createWorker = startWorker, signal, onProgress, onTimings: _, ...rest } = options;
    if ('device' in rest) throw new TypeError('device: expected none, because a GPUDevice cannot be sent to a worker');
    signal?.throwIfAborted();
    const detector = new WorkerDetector(createWorker());
    try {
      const request = { kind: 'create', model: sendModel(model), options: rest } as const;
      detector.#created = await detector.#call<Created>(request, [], { signal, onProgress });
      return detector;
    } catch (error) {
      detector.#worker.terminate();
      throw error;
    }
  }

  get inputSize(): Size | 'image' {
    return this.#created.inputSize;
  }

  get fixedInputSize(): Size | null {
    return this.#created.fixedInputSize;
  }

  get keypointCount(): number {
    return this.#created.keypointCount;
  }

  get hasKeypoints(): boolean {
    return this.keypointCount > 0;
  }

  /** As `Detector.detect`. */
  async detect(image: ImageInput, options: DetectOptions = {}): Promise<Face[]> {
    const [faces] = await this.detectBatch([image], options);
    return faces!;
  }

  /** As `Detector.detectBatch`. */
  async detectBatch(images: readonly ImageInput[], options: DetectOptions = {}): Promise<Face[][]> {
    const { signal, onTimings, onProgress, ...rest } = options;
    return this.#begin(signal, async () => {
      const sent = await Promise.all(images.map(sendImage));
      const pictures = sent.map(({ image }) => image);
      const request = { kind: 'detectBatch', images: pictures, options: rest, timed: onTimings !== undefined } as const;
      return this.#call(
        request,
        sent.flatMap(({ transfer }) => transfer),
        { signal, onTimings, onProgress },
      );
    });
  }

  /** As `Detector.alignFaces`. */
  async alignFaces(
    image: ImageInput,
    faces: readonly Pick<Face, 'keypoints'>[],
    { signal, ...options }: AlignOptions = {},
  ): Promise<Pixels[]> {
    return this.#begin(signal, async () => {
      const sent = await sendImage(image);
      return this.#call({ kind: 'alignFaces', image: sent.image, faces, options }, sent.transfer, { signal });
    });
  }

  /** As `Detector.stream`. */
  stream(
    source: LiveInput,
    options?: StreamOptions,
  ): AsyncGenerator<StreamResult<VideoFrame | ImageBitmap, Face[]>, void, undefined>;
  stream<F extends ImageInput>(
    source: AsyncIterable<F> | Iterable<F>,
    options?: StreamOptions,
  ): AsyncGenerator<StreamResult<F, Face[]>, void, undefined>;
  stream<F extends ImageInput>(
    source: LiveInput | AsyncIterable<F> | Iterable<F>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamResult<F | VideoFrame | ImageBitmap, Face[]>, void, undefined> {
    return streamFaces(browserPlatform, source, (frame, each) => this.detect(frame, each), options);
  }

  /** As `Detector.identify`. */
  async identify(): Promise<ModelIdentity | null> {
    return this.#begin(undefined, () => this.#call({ kind: 'identify' }, [], {}));
  }

  /** Ends the worker once the calls under way have ended. Idempotent. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#begun
      .idle()
      .then(() => this.#call<void>({ kind: 'dispose' }, [], {}))
      .finally(() => this.#worker.terminate());
    return this.#disposal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** Runs a task that `dispose` waits for. */
  async #begin<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    if (this.#disposal) throw new DisposedError('this detector has been disposed');
    return this.#begun.run(task);
  }

  #call<T>(
    request: Unsent<Request>,
    transfer: readonly Transferable[],
    { signal, ...callbacks }: Callbacks,
  ): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<T>((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, ...callbacks });
    });
    const abort = () => {
      // at once: what the worker still answers comes to nobody
      this.#calls.get(id)?.reject(signal!.reason);
      this.#worker.postMessage({ id, kind: 'abort' } satisfies Request);
    };
    signal?.addEventListener('abort', abort);
    try {
      this.#worker.postMessage({ id, ...request }, [...transfer]);
    } catch (error) {
      this.#calls.get(id)!.reject(new TypeError(`the worker cannot be sent this: ${(error as Error).message}`));
    }
    if (signal?.aborted) abort();
    return answer.finally(() => {
      this.#calls.delete(id);
      signal?.removeEventListener('abort', abort);
    });
  }

  #receive(message: Message): void {
    switch (message.kind) {
      case 'result':
        return this.#calls.get(message.id)?.resolve(message.value as never);
      case 'error':
        return this.#calls.get(message.id)?.reject(receiveError(message.error));
      case 'progress':
        return this.#calls.get(message.id)?.onProgress?.(message.progress);
      case 'timings':
        return this.#calls.get(message.id)?.onTimings?.(message.timings);
      case 'devicelost':
        this.dispatchEvent(new CustomEvent('devicelost', { detail: receiveError(message.error) }));
        return;
      case 'devicerestored':
        this.dispatchEvent(new CustomEvent('devicerestored'));
        return;
      default:
        return message satisfies never;
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#calls.values()) reject(error);
  }
}
