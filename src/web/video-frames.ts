import { classNameOf } from '../common/class-name.ts';
import { ImageError } from '../common/errors.ts';
import type { FrameSource } from '../runtime/platform.ts';

type LiveFrame = VideoFrame | ImageBitmap;

/** Chromium's, and Safari's in workers; not in TypeScript's library yet. */
interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}
type TrackProcessorClass = new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => TrackProcessor;

/** Frames of a video element, a stream's video track or a track. Null for anything else. */
export async function openFrames(
  source: unknown,
  signal: AbortSignal | undefined,
): Promise<FrameSource<LiveFrame> | null> {
  const release = (frame: LiveFrame) => frame.close();
  switch (classNameOf(source)) {
    case 'HTMLVideoElement':
      return { frames: videoFrames(source as HTMLVideoElement), release };
    case 'MediaStream': {
      const [track] = (source as MediaStream).getVideoTracks();
      if (!track) throw new ImageError('stream: expected a media stream with a video track, got one without');
      return { frames: await trackFrames(track, signal), release };
    }
    case 'MediaStreamTrack':
    case 'CanvasCaptureMediaStreamTrack':
      return { frames: await trackFrames(source as MediaStreamTrack, signal), release };
    default:
      return null;
  }
}

async function trackFrames(
  track: MediaStreamTrack,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<LiveFrame>> {
  if (track.kind !== 'video') throw new ImageError(`stream: expected a video track, got one of kind ${track.kind}`);
  const Processor = (globalThis as { MediaStreamTrackProcessor?: TrackProcessorClass }).MediaStreamTrackProcessor;
  if (Processor) return processedFrames(Processor, track);
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  await video.play();
  signal?.throwIfAborted();
  return videoFrames(video, () => {
    video.srcObject = null;
  });
}

/** A processor hands out frames one by one; with a buffer of one, a reader gets the newest. */
function processedFrames(Processor: TrackProcessorClass, track: MediaStreamTrack): AsyncIterable<VideoFrame> {
  // a clone, so that ending the stream leaves the caller's track alone
  const own = track.clone();
  // a clone does not end with its original
  const stop = () => own.stop();
  track.addEventListener('ended', stop);
  const reader = new Processor({ track: own, maxBufferSize: 1 }).readable.getReader();
  return {
    [Symbol.asyncIterator]: () => ({
      async next(): Promise<IteratorResult<VideoFrame, undefined>> {
        // stopping a track is no event of it
        if (track.readyState === 'ended') stop();
        const { done, value } = await reader.read();
        return done ? { done: true, value: undefined } : { done: false, value };
      },
      async return() {
        track.removeEventListener('ended', stop);
        stop();
        await reader.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** The frame that a video shows whenever it is asked for a new one, until the video or its stream ends. */
function videoFrames(video: HTMLVideoElement, release = () => {}): AsyncIterable<LiveFrame> {
  let cancel = () => {};
  // the last frame's time, in seconds
  let shown = Number.NEGATIVE_INFINITY;
  const ended = () => {
    const stream = classNameOf(video.srcObject) === 'MediaStream' ? (video.srcObject as MediaStream) : null;
    const emptied = shown >= 0 && video.readyState === HTMLMediaElement.HAVE_NOTHING;
    return video.ended || emptied || stream?.active === false;
  };
  const next = () =>
    new Promise<IteratorResult<LiveFrame, undefined>>((resolve, reject) => {
      const watch = new AbortController();
      const end = () => {
        watch.abort();
        resolve({ done: true, value: undefined });
      };
      cancel = end;
      // a stream says that it is over only in some browsers; a frame that still comes says it in all
      const targets = [video, video.srcObject].filter((target) => target instanceof EventTarget);
      for (const target of targets) {
        for (const type of ['ended', 'emptied', 'inactive']) {
          target.addEventListener(type, end, { signal: watch.signal });
        }
      }
      const take = async () => {
        if (watch.signal.aborted) return;
        if (ended()) return end();
        const frame = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await grab(video) : null;
        const time = frame && 'timestamp' in frame ? frame.timestamp / 1e6 : video.currentTime;
        if (frame && !watch.signal.aborted && time !== shown) {
          shown = time;
          watch.abort();
          resolve({ done: false, value: frame });
          return;
        }
        frame?.close();
        onNextFrame(video, attempt);
      };
      const attempt = () => {
        take().catch((error: unknown) => {
          watch.abort();
          reject(error);
        });
      };
      // a paused video shows a frame already
      attempt();
    });
  return {
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        cancel();
        release();
        return { done: true, value: undefined };
      },
    }),
  };
}

function onNextFrame(video: HTMLVideoElement, call: () => void): void {
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(call);
  else requestAnimationFrame(call);
}

async function grab(video: HTMLVideoElement): Promise<LiveFrame> {
  try {
    if (typeof VideoFrame === 'function') return new VideoFrame(video);
    return await createImageBitmap(video);
  } catch (cause) {
    throw new ImageError(`stream: the video gives no frame: ${(cause as Error).message}`, { cause });
  }
}
