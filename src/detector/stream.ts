import { tagOf } from '../common/class-name.ts';
import type { Face } from '../common/face.ts';
import type { LiveInput, Platform } from '../runtime/platform.ts';
import type { ImageInput } from './detector.ts';
import type { DetectOptions } from './options.ts';
import { type StreamResult, streamResults } from './streaming.ts';

export interface StreamOptions extends DetectOptions {
  /** Frames under way at a time. Default 2. */
  readonly inFlight?: number;
}

/** Faces in the frames of a live source or of anything that can be iterated over, by any detector. */
export async function* streamFaces<F extends ImageInput>(
  platform: Platform,
  source: LiveInput | AsyncIterable<F> | Iterable<F>,
  detect: (frame: ImageInput, options: DetectOptions) => Promise<Face[]>,
  { inFlight = 2, ...options }: StreamOptions,
): AsyncGenerator<StreamResult<F | VideoFrame | ImageBitmap, Face[]>, void, undefined> {
  assertInFlight(inFlight);
  const { signal } = options;
  const detectFrame = (frame: ImageInput) => detect(frame, options);
  if (isIterable<F>(source)) {
    yield* streamResults(source, detectFrame, { inFlight, signal });
    return;
  }
  const live = await platform.openLive(source, signal);
  if (!live) {
    throw new TypeError(
      `stream: expected a video element, a media stream or its track, or an iterable, got ${tagOf(source)}`,
    );
  }
  yield* streamResults(live.frames, detectFrame, { inFlight, signal, release: (frame) => live.release(frame) });
}

export function assertInFlight(inFlight: number): void {
  if (Number.isInteger(inFlight) && inFlight > 0) return;
  throw new RangeError(`inFlight: expected an integer of at least 1, got ${inFlight}`);
}

function isIterable<F>(source: unknown): source is AsyncIterable<F> | Iterable<F> {
  if (typeof source !== 'object' || source === null) return false;
  return Symbol.asyncIterator in source || Symbol.iterator in source;
}
