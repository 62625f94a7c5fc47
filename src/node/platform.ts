import { statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../common/errors.ts';
import type { OpenedImage } from '../common/image.ts';
import type { ReadLimits } from '../common/limits.ts';
import { besideUrl } from '../models/download.ts';
import { findModel } from '../models/registry.ts';
import type { LoadOptions, ModelSource, Platform } from '../runtime/platform.ts';
import { adapterHelp } from './adapter-help.ts';
import { requestAdapter } from './dawn.ts';
import { asUrl, MODEL_FILE, type ReadOptions, readSource } from './files.ts';
import { type EncodedImage, readImage } from './images.ts';
import { resolveModel } from './models/resolve.ts';
import { printable } from './printable.ts';
import { fileTuningStore } from './tuning-store.ts';

/** One sleep at most: short enough for whatever else the process does. */
const SLEEP_MS = 1;
/** And at least: a poll takes a core for some hundredths of that. */
const NAP_MS = 0.2;
/** One sleep as a part of the run: a result is seen half of one late. */
const NAP = 0.01;
/** Slept on only: no other thread notifies it. */
const SLEPT_ON = new Int32Array(new SharedArrayBuffer(4));

/** Node: WebGPU by Dawn (the package `webgpu`), files by fs, pictures by sharp. */
export const nodePlatform: Platform = {
  async yieldCore(sleptMs) {
    await new Promise((resolve) => setImmediate(resolve));
    // a run that compiles takes seconds, and Mesa's compiler the core that polls would take
    const napMs = sleptMs > 0 ? Math.min(Math.max(sleptMs * NAP, NAP_MS), SLEEP_MS) : SLEEP_MS;
    Atomics.wait(SLEPT_ON, 0, 0, napMs);
  },
  tuningStore: fileTuningStore(notify),
  requestAdapter,
  adapterHelp,
  readModel,
  openImage,
  openFrames: async () => null,
};

async function readModel(source: string | URL, options: LoadOptions): Promise<ModelSource> {
  const { signal, onProgress } = options;
  const file = isModelName(source)
    ? await resolveModel(source, { onNotice: notify, ...(signal && { signal }), ...(onProgress && { onProgress }) })
    : source;
  const { limits, ...rest } = options;
  const isLocal = (asUrl(file)?.protocol ?? 'file:') === 'file:';
  // of the model and all that lies beside it: a model may name many large files
  let left = limits?.maxBytes ?? MODEL_FILE.maxBytes[isLocal ? 'file' : 'url'];
  const read = async (each: string | URL, more: ReadOptions): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = await readSource(each, MODEL_FILE, { ...more, limits: { ...limits, maxBytes: left } });
    left = Math.max(1, left - bytes.byteLength);
    return bytes;
  };
  return {
    bytes: await read(file, rest),
    readExternal: async (location) => read(await besideModel(file, location), { signal }),
  };
}

async function openImage(source: unknown, signal: AbortSignal | undefined, limits?: ReadLimits): Promise<OpenedImage> {
  return { kind: 'pixels', ...(await readImage(source as EncodedImage, { signal, limits })) };
}

/** A file comes before a model of its name; a bare word without an extension can only be meant as a name. */
export function isModelName(source: string | URL): source is string {
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
  process.stderr.write(`scrfd: ${printable(notice)}\n`);
}

/**
 * @param location a relative path that stays in the folder: the loader has checked it
 * @throws ModelError where a symbolic link leaves the folder all the same, of the model's name or of the file that this links to
 */
async function besideModel(model: string | URL, location: string): Promise<string | URL> {
  const url = asUrl(model);
  if (url && url.protocol !== 'file:') return besideUrl(url, location);
  const path = url ? fileURLToPath(url) : String(model);
  const file = join(dirname(path), location);
  const target = await realpath(file).catch(() => file);
  const folders = await Promise.all([realpath(dirname(path)), realpath(path).then(dirname)]);
  if (target === file || folders.some((folder) => isInside(folder, target))) return target;
  throw new ModelError(
    `${file}: expected an external file inside the model's folder, it links to ${target}; copy it there`,
  );
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return !isAbsolute(way) && way.split(sep)[0] !== '..';
}
