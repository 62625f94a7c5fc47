import { ImageError } from './errors.ts';
import type { LiveSource } from './platform.ts';

type LiveFrame = VideoFrame | ImageBitmap;

/** Chromium's, and Safari's in workers; not in TypeScript's library yet. */
interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}
type TrackProcessorClass = new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => TrackProcessor;

/** Frames of a video element, a stream's video track or a track. Null for anything else. */
export async function openLive(
  source: unknown,
  signal: AbortSignal | undefined,
): Promise<LiveSource<LiveFrame> | null> {
  const release = (frame: LiveFrame) => frame.close();
  switch (Object.prototype.toString.call(source).slice(8, -1)) {
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
  return videoFrames(video, track);
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

/** The frame that a video shows whenever it is asked for a new one, until the video or the track ends. */
function videoFrames(video: HTMLVideoElement, track?: MediaStreamTrack): AsyncIterable<LiveFrame> {
  let cancel = () => {};
  let shown = -1;
  const next = () =>
    new Promise<IteratorResult<LiveFrame, undefined>>((resolve, reject) => {
      const watch = new AbortController();
      const settle = (result: IteratorResult<LiveFrame, undefined>) => {
        watch.abort();
        resolve(result);
      };
      const end = () => settle({ done: true, value: undefined });
      cancel = end;
      const ended = () => video.ended || track?.readyState === 'ended';
      if (ended()) return end();
      video.addEventListener('ended', end, { signal: watch.signal });
      video.addEventListener('emptied', end, { signal: watch.signal });
      track?.addEventListener('ended', end, { signal: watch.signal });
      onNextFrame(video, watch.signal, () => {
        if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.currentTime === shown) return false;
        shown = video.currentTime;
        grab(video).then(
          (value) => settle({ done: false, value }),
          (error: unknown) => {
            watch.abort();
            reject(error);
          },
        );
        return true;
      });
    });
  return {
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        cancel();
        if (track) video.srcObject = null;
        return { done: true, value: undefined };
      },
    }),
  };
}

/** Calls `take` at each new frame until it answers true. */
function onNextFrame(video: HTMLVideoElement, signal: AbortSignal, take: () => boolean): void {
  const step = () => {
    if (!signal.aborted && !take()) request();
  };
  const request = () => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(step);
    else requestAnimationFrame(step);
  };
  // a paused video shows a frame already
  if (!take()) request();
}

async function grab(video: HTMLVideoElement): Promise<LiveFrame> {
  try {
    if (typeof VideoFrame === 'function') return new VideoFrame(video);
    return await createImageBitmap(video);
  } catch (cause) {
    throw new ImageError(`stream: the video gives no frame: ${(cause as Error).message}`, { cause });
  }
}
