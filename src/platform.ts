import type { Pixels } from './face.ts';

/** A model's bytes, and how to read the files that its external initializers live in. */
export interface ModelSource {
  readonly bytes: Uint8Array;
  readonly readExternal?: (location: string) => Promise<Uint8Array>;
}

/** What Node and browsers do differently; everything else is written against this. */
export interface Platform {
  /** Whether waiting for the GPU keeps a core busy: see `Pace`. */
  readonly pollsBusily: boolean;
  /** The high-performance WebGPU adapter, or null where there is none. */
  requestAdapter(): Promise<GPUAdapter | null>;
  /** How to get a WebGPU adapter on this machine, as full sentences. */
  adapterHelp(): string;
  /** Reads a model from a path or URL. Rejects with `signal.reason` when aborted. */
  readModel(source: string | URL, signal: AbortSignal | undefined): Promise<ModelSource>;
  /** Decodes a picture from a path, URL or encoded bytes, upright as its EXIF orientation says. */
  readImage(source: string | URL | Uint8Array | ArrayBuffer, signal: AbortSignal | undefined): Promise<Pixels>;
}
