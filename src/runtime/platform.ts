import type { Picture } from '../detector/image-buffer.ts';
import type { Progress } from '../models/download.ts';

/** A model's bytes, and how to read the files that its external initializers live in. */
export interface ModelSource {
  readonly bytes: Uint8Array;
  readonly readExternal?: (location: string) => Promise<Uint8Array>;
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called while a model is downloaded. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Frames that come by themselves: the newest when asked, the ones between are skipped. */
export interface LiveSource<F> {
  readonly frames: AsyncIterable<F>;
  /** Frees a frame. */
  release(frame: F): void;
}

/** Sources of live frames in browsers. */
export type LiveInput = HTMLVideoElement | MediaStreamTrack | MediaStream;

/** Small texts that are kept between runs, by name. */
export interface Keepsakes {
  /** Null for what was never written, or cannot be read. */
  read(name: string): Promise<string | null>;
  /** Keeps a text where that is possible. */
  write(name: string, text: string): Promise<void>;
}

/** What Node and browsers do differently; everything else is written against this. */
export interface Platform {
  /** Where waiting for the GPU keeps a core busy, lets events in, then gives that core away for a moment: see `Pace`. */
  readonly nap: (() => Promise<void>) | null;
  /** Where results of tuning are kept. */
  readonly keepsakes: Keepsakes;
  /** The high-performance WebGPU adapter, or null where there is none. */
  requestAdapter(): Promise<GPUAdapter | null>;
  /** How to get a WebGPU adapter on this machine, as full sentences. */
  adapterHelp(): string;
  /** Reads a model by name, path or URL. Rejects with `signal.reason` when aborted. */
  readModel(source: string | URL, options: LoadOptions): Promise<ModelSource>;
  /**
   * Opens a picture that is neither pixels nor a texture: a path, a URL, encoded bytes, or what a page has pictures in.
   * Upright as its EXIF orientation says.
   */
  openPicture(source: unknown, signal: AbortSignal | undefined): Promise<Picture>;
  /** Null for what is no live source here. */
  openLive(source: unknown, signal: AbortSignal | undefined): Promise<LiveSource<VideoFrame | ImageBitmap> | null>;
}
