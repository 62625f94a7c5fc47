import type { OpenedImage } from '../common/image.ts';
import type { ReadLimits } from '../common/limits.ts';
import type { DownloadProgress } from '../models/download.ts';
import type { GpuProvider } from './gpu-context.ts';
import type { TuningStore } from './tuner.ts';

/** A model's bytes, and how to read the files that its external initializers live in. */
export interface ModelSource {
  readonly bytes: Uint8Array;
  readonly readExternal?: (location: string) => Promise<Uint8Array>;
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: ReadLimits | undefined;
  /** Called while a model is downloaded. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** Frames that come by themselves: the newest when asked, the ones between are skipped. */
export interface FrameSource<F> {
  readonly frames: AsyncIterable<F>;
  /** Frees a frame. */
  release(frame: F): void;
}

/** Sources of live frames in browsers. */
export type LiveInput = HTMLVideoElement | MediaStreamTrack | MediaStream;

/** What Node and browsers do differently; everything else is written against this. */
export interface Platform extends GpuProvider {
  /** Where results of tuning are kept. */
  readonly tuningStore: TuningStore;
  /** Reads a model by name, path or URL. Rejects with `signal.reason` when aborted. */
  readModel(source: string | URL, options: LoadOptions): Promise<ModelSource>;
  /**
   * Opens an image that is neither pixels nor a texture: a path, a URL, encoded bytes, or what a page has images in.
   * Upright as its EXIF orientation says.
   */
  openImage(source: unknown, signal: AbortSignal | undefined, limits: ReadLimits | undefined): Promise<OpenedImage>;
  /** Null for what is no live source here. */
  openFrames(source: unknown, signal: AbortSignal | undefined): Promise<FrameSource<VideoFrame | ImageBitmap> | null>;
}
