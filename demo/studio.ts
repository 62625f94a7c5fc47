import type { DetectOptions, Detector, Face, Pixels, Progress, Timings, WorkerDetector } from 'scrfd-webgpu';

export type AnyDetector = Detector | WorkerDetector;

/** What is on the stage: a picture, or frames that come by themselves. */
export type Source =
  | { readonly kind: 'picture'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'live'; readonly frames: MediaStream | HTMLVideoElement; close(): void };

export interface Found {
  /** A bitmap that stays, or a frame that is closed afterwards. */
  readonly shown: ImageBitmap | VideoFrame;
  readonly faces: readonly Face[];
  /** Of a picture, where the model finds keypoints. */
  readonly crops: readonly Pixels[];
  readonly timings: Timings | undefined;
  readonly ms: number;
  /** Of live frames; not before there are two since kernels were compiled. */
  readonly framesPerSecond: number | undefined;
}

/** Who looks on. */
export interface Audience {
  options(detector: AnyDetector): DetectOptions;
  onDetecting(source: Source): void;
  onProgress(progress: Progress): void;
  onFound(found: Found, source: Source): void;
  onFailed(error: unknown): void;
  /** Live frames have come to their end. */
  onEnded(): void;
}

/** Crops beyond this many are more than anybody looks at. */
const MOST_CROPS = 60;

/**
 * The one owner of the detector and of what is on the stage. What was asked for last is done next, what it takes the place of
 * is given up, and nothing is closed while it is in use.
 */
export class Studio {
  readonly #audience: Audience;
  #detector: AnyDetector | undefined;
  #source: Source | undefined;
  #turn = new AbortController();
  #running = false;
  #again = false;
  readonly #left: Source[] = [];

  constructor(audience: Audience) {
    this.#audience = audience;
  }

  get detector(): AnyDetector | undefined {
    return this.#detector;
  }

  get source(): Source | undefined {
    return this.#source;
  }

  /** Takes a detector in the place of the one before, which is freed when its calls have ended. */
  setDetector(detector: AnyDetector): void {
    const before = this.#detector;
    this.#detector = detector;
    this.refresh();
    before?.dispose().catch(() => {});
  }

  /** Takes what is to be seen in the place of what was. */
  setSource(source: Source | undefined): void {
    if (this.#source) this.#left.push(this.#source);
    this.#source = source;
    this.refresh();
  }

  /** Detects in what is on the stage once more, with the newest settings. */
  refresh(): void {
    this.#again = true;
    this.#turn.abort();
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#again) {
      this.#again = false;
      this.#turn = new AbortController();
      const { signal } = this.#turn;
      try {
        await this.#once(signal);
      } catch (error) {
        // of what was given up nobody wants to know
        if (!signal.aborted) this.#audience.onFailed(error);
      }
      for (const source of this.#left.splice(0)) close(source);
    }
    this.#running = false;
  }

  async #once(signal: AbortSignal): Promise<void> {
    const [detector, source] = [this.#detector, this.#source];
    if (!detector || !source) return;
    this.#audience.onDetecting(source);
    if (source.kind === 'picture') await this.#detect(detector, source, signal);
    else await this.#follow(detector, source, signal);
  }

  async #detect(detector: AnyDetector, source: Source & { kind: 'picture' }, signal: AbortSignal): Promise<void> {
    let timings: Timings | undefined;
    let start = performance.now();
    const shown = source.bitmap;
    const faces = await detector.detect(shown, {
      ...this.#audience.options(detector),
      signal,
      onProgress: (progress) => {
        // kernels are compiled once, and no part of the search
        start = performance.now();
        if (!signal.aborted) this.#audience.onProgress(progress);
      },
      onTimings: (times) => {
        timings = times;
      },
    });
    const ms = performance.now() - start;
    const cropped = detector.keypointCount === 5 ? faces.slice(0, MOST_CROPS) : [];
    const crops = await detector.alignFaces(shown, cropped, { signal });
    this.#audience.onFound({ shown, faces, crops, timings, ms, framesPerSecond: undefined }, source);
  }

  async #follow(detector: AnyDetector, source: Source & { kind: 'live' }, signal: AbortSignal): Promise<void> {
    let timings: Timings | undefined;
    let last: number | undefined;
    let framesPerSecond: number | undefined;
    const options = {
      ...this.#audience.options(detector),
      ...{ signal, onProgress: (progress: Progress) => signal.aborted || this.#audience.onProgress(progress) },
      onTimings: (times: Timings) => {
        timings = times;
      },
    };
    for await (const { frame, faces } of detector.stream(source.frames, options)) {
      const now = performance.now();
      // the first frame has waited for kernels
      const ms = last === undefined ? undefined : now - last;
      if (ms !== undefined)
        framesPerSecond = framesPerSecond === undefined ? 1000 / ms : framesPerSecond * 0.9 + 100 / ms;
      last = now;
      const shown = frame as ImageBitmap | VideoFrame;
      this.#audience.onFound({ shown, faces, crops: [], timings, ms: ms ?? 0, framesPerSecond }, source);
    }
    if (!signal.aborted) this.#audience.onEnded();
  }
}

function close(source: Source): void {
  if (source.kind === 'picture') source.bitmap.close();
  else source.close();
}
