import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ModelError } from '../common/errors.ts';
import type { OpenedImage } from '../common/image.ts';
import { besideUrl, downloadModel } from '../models/download.ts';
import { findModel } from '../models/registry.ts';
import type { LoadOptions, ModelSource, Platform } from '../runtime/platform.ts';
import { adapterHelp } from './adapter-help.ts';
import { requestAdapter } from './dawn.ts';
import { asUrl, readSource } from './files.ts';
import { readImage } from './images.ts';
import { resolveModel } from './models/resolve.ts';
import { fileTuningStore } from './tuning-store.ts';

/** One sleep: short enough for whatever else the process does. */
const SLEEP_MS = 1;
/** Slept on only: no other thread notifies it. */
const SLEPT_ON = new Int32Array(new SharedArrayBuffer(4));

/** Node: WebGPU by Dawn (the package `webgpu`), files by fs, pictures by sharp. */
export const nodePlatform: Platform = {
  async yieldCore() {
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(SLEPT_ON, 0, 0, SLEEP_MS);
  },
  tuningStore: fileTuningStore(notify),
  requestAdapter,
  adapterHelp,
  readModel,
  openImage,
  openFrames: async () => null,
};

async function readModel(source: string | URL, { signal, onProgress }: LoadOptions): Promise<ModelSource> {
  const file = isModelName(source)
    ? await resolveModel(source, { onNotice: notify, ...(signal && { signal }), ...(onProgress && { onProgress }) })
    : source;
  const url = asUrl(file);
  const bytes = url?.protocol.startsWith('http')
    ? await downloadModel(url, { signal, onProgress })
    : await readSource(file, signal, ModelError);
  return { bytes, readExternal: (location) => readSource(besideModel(file, location), signal, ModelError) };
}

async function openImage(source: unknown, signal: AbortSignal | undefined): Promise<OpenedImage> {
  const encoded = source instanceof Blob ? await source.arrayBuffer() : source;
  return { kind: 'pixels', ...(await readImage(encoded as string | URL | Uint8Array | ArrayBuffer, signal)) };
}

/** A file comes before a model of its name; a bare word without an extension can only be meant as a name. */
function isModelName(source: string | URL): source is string {
  if (typeof source !== 'string' || asUrl(source) !== undefined || isFile(source)) return false;
  return findModel(source) !== undefined || (/^[\w.-]+$/.test(source) && !/\.[a-z]\w*$/i.test(source));
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function notify(notice: string): void {
  process.stderr.write(`scrfd: ${notice}\n`);
}

/** @param location a relative path that stays in the folder: the loader has checked it */
function besideModel(model: string | URL, location: string): string | URL {
  const url = asUrl(model);
  return url ? besideUrl(url, location) : join(dirname(String(model)), location);
}
