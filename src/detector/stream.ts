import { assertInFlight } from '../common/check.ts';
import { classNameOf } from '../common/class-name.ts';
import type { Face } from '../common/face.ts';
import type { ImageInput } from '../common/image.ts';
import type { LiveInput, Platform } from '../runtime/platform.ts';
import type { DetectOptions } from './options.ts';

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
  const live = await platform.openFrames(source, signal);
  if (!live) {
    throw new TypeError(
      `stream: expected a video element, a media stream or its track, or an iterable, got ${classNameOf(source)}`,
    );
  }
  yield* streamResults(live.frames, detectFrame, { inFlight, signal, release: (frame) => live.release(frame) });
}

function isIterable<F>(source: unknown): source is AsyncIterable<F> | Iterable<F> {
  if (typeof source !== 'object' || source === null) return false;
  return Symbol.asyncIterator in source || Symbol.iterator in source;
}

/** One frame of a stream with what was found in it. */
export interface StreamResult<Frame, Result> {
  readonly frame: Frame;
  readonly faces: Result;
}

export interface StreamFlow<F> {
  /** Frames under way at a time. */
  readonly inFlight: number;
  readonly signal?: AbortSignal | undefined;
  /** Frees a frame that was dropped or whose turn is over. */
  readonly release?: (frame: F) => void;
}

type Event<F> = { readonly kind: 'frame'; readonly next: IteratorResult<F> } | { readonly kind: 'result' };

/**
 * Detects in frames as they come, at most `inFlight` at a time, and yields results in the frames' order. A frame is
 * asked for when there is room for it: a source of files is never read ahead, a live one skips what came meanwhile.
 * When the loop is left, the source is closed and the frames under way are waited for.
 */
export async function* streamResults<F, R>(
  frames: AsyncIterable<F> | Iterable<F>,
  detect: (frame: F) => Promise<R>,
  { inFlight, signal, release }: StreamFlow<F>,
): AsyncGenerator<StreamResult<F, R>, void, undefined> {
  signal?.throwIfAborted();
  const iterator = Symbol.asyncIterator in frames ? frames[Symbol.asyncIterator]() : frames[Symbol.iterator]();
  const pending: { readonly frame: F; readonly faces: Promise<R> }[] = [];
  let onAbort: (reason: unknown) => void = () => {};
  const listener = () => onAbort(signal?.reason);
  signal?.addEventListener('abort', listener);
  let coming: Promise<IteratorResult<F>> | null = null;
  let ended = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (!ended && pending.length < inFlight) coming ??= Promise.resolve(iterator.next());
      const events: Promise<Event<F>>[] = [];
      if (pending[0]) events.push(pending[0].faces.then(() => ({ kind: 'result' })));
      if (coming) events.push(coming.then((next) => ({ kind: 'frame', next })));
      if (events.length === 0) return;
      // anew each time: one that lasts would keep what comes of every race, frames and all
      const aborted = new Promise<never>((_, reject) => {
        onAbort = reject;
      });
      const event = await Promise.race([...events, aborted]);
      if (event.kind === 'result') {
        const { frame, faces } = pending[0]!;
        yield { frame, faces: await faces };
        pending.shift();
        release?.(frame);
        continue;
      }
      coming = null;
      if (event.next.done) {
        ended = true;
        continue;
      }
      const frame = event.next.value;
      const faces = detect(frame);
      // awaited above, in its turn; until then a failure is no unhandled one
      faces.catch(() => {});
      pending.push({ frame, faces });
    }
  } finally {
    signal?.removeEventListener('abort', listener);
    // a frame that is still asked for is closed by the source, or here if it comes all the same
    if (release) coming?.then(({ done, value }) => done || release(value)).catch(() => {});
    coming?.catch(() => {});
    const closed = ended ? undefined : iterator.return?.();
    // a generator that waits for its next frame closes after it, whenever that may be
    if (!coming) await closed;
    await Promise.allSettled(pending.map(({ faces }) => faces));
    if (release) for (const { frame } of pending) release(frame);
  }
}
