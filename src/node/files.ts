import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertKnown, type OptionNames } from '../common/check.ts';
import { ModelError } from '../common/errors.ts';
import type { ReadLimits } from '../common/limits.ts';
import { DownloadError, type DownloadProgress, download, MemorySink } from '../models/download.ts';

type ErrorClass = new (message: string, options?: ErrorOptions) => Error;

/** What a file is read as, and what is taken of one unless limits say otherwise. */
export interface FileKind {
  readonly Failure: ErrorClass;
  /** Of a file, whose size is known before it is read, and of what a server sends. */
  readonly maxBytes: { readonly file: number; readonly url: number };
  /** Milliseconds that a URL may take in all. */
  readonly timeout: number;
  /** Whether what a server calls a web page may be one of these all the same. */
  readonly html: boolean;
}

/** What may be said of reading, by whom it concerns. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: ReadLimits | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

const SMALLEST: Required<ReadLimits> = { maxBytes: 1, maxPixels: 1, timeout: 1, maxRedirects: 0 };

const LIMITS: OptionNames<ReadLimits> = { maxBytes: 1, maxPixels: 1, timeout: 1, maxRedirects: 1 };

/** Timers go no further, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @throws RangeError that names the limit, TypeError for one that there is not */
export function assertLimits(limits: ReadLimits = {}): void {
  assertKnown(limits, LIMITS);
  for (const [name, least] of Object.entries(SMALLEST)) {
    const value: unknown = limits[name as keyof ReadLimits];
    if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= least)) continue;
    throw new RangeError(`limits.${name}: expected an integer of at least ${least}, got ${String(value)}`);
  }
}

/** A model, and a file that lies beside one. */
export const MODEL_FILE: FileKind = {
  Failure: ModelError,
  maxBytes: { file: 2 ** 31 - 1, url: 2 ** 29 },
  timeout: 3_600_000,
  html: false,
};

const MAX_REDIRECTS = 10;

/**
 * Reads a regular file by path or file: URL, anything else that fetch can (http:, https:, data:) by URL.
 * A failure is the kind's `Failure` that names the source; an abort rejects with `signal.reason`.
 */
export async function readSource(
  source: string | URL,
  kind: FileKind,
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, limits } = options;
  const { Failure, maxBytes } = kind;
  assertLimits(limits);
  signal?.throwIfAborted();
  try {
    const url = asUrl(source);
    if (url === undefined || url.protocol === 'file:') {
      return await readRegularFile(url ? fileURLToPath(url) : source, limits?.maxBytes ?? maxBytes.file, signal);
    }
    return await readUrl(url, kind, options);
  } catch (error) {
    signal?.throwIfAborted();
    throw new Failure(`${describeSource(source)}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The bytes that a file has when it is opened: what is no regular file may never end, or never begin. */
export async function readRegularFile(
  path: string | URL,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  // a FIFO without a writer would block one of libuv's four threads; Windows has neither
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`expected a file, got ${typeOf(stats)}`);
    if (stats.size > maxBytes) throw new Error(`expected at most ${maxBytes} bytes (maxBytes), got ${stats.size}`);
    const bytes = new Uint8Array(stats.size);
    for (let at = 0; at < bytes.byteLength; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.byteLength - at, CHUNK_BYTES));
      if (bytesRead === 0) return bytes.slice(0, at);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** An abort is heard between two. */
const CHUNK_BYTES = 2 ** 24;

/** What is no regular file, as the end of a sentence. */
export function typeOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

async function readUrl(
  url: URL,
  { html, ...kind }: FileKind,
  { signal, limits = {}, onProgress }: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { maxBytes = kind.maxBytes.url, timeout = kind.timeout, maxRedirects = MAX_REDIRECTS } = limits;
  const late = AbortSignal.timeout(Math.min(timeout, LONGEST_TIMER));
  const sink = new MemorySink();
  try {
    await download(url.href, sink, undefined, {
      fetch: followRedirects(maxRedirects),
      signal: AbortSignal.any(signal ? [signal, late] : [late]),
      ...{ maxBytes, html, onProgress },
    });
  } catch (error) {
    if (late.aborted) {
      throw new Error(`expected all of it within ${timeout / 1000} s (timeout), got ${sink.size} bytes`, {
        cause: error,
      });
    }
    throw error;
  }
  return sink.bytes();
}

/** `fetch` with a limit of its own: the standard's is twenty, and no option. */
function followRedirects(limit: number): typeof fetch {
  return async (input, init) => {
    let url = String(input);
    for (let left = limit; ; left--) {
      const response = await fetch(url, { ...init, redirect: 'manual' });
      const location = response.headers.get('location');
      if (response.status < 300 || response.status > 399 || location === null) return response;
      await response.body?.cancel();
      if (left === 0) throw new DownloadError(`expected at most ${limit} redirects (maxRedirects), got more`);
      const next = new URL(location, url);
      if (!next.protocol.startsWith('http'))
        throw new DownloadError(`expected a redirect to http, got ${next.protocol}`);
      url = next.href;
    }
  };
}

/** The URL that `source` is or spells out; undefined for a path. */
export function asUrl(source: string | URL): URL | undefined {
  if (source instanceof URL) return source;
  return /^(https?|file|data):/i.test(source) && URL.canParse(source) ? new URL(source) : undefined;
}

/** A source as error messages show it. */
export function describeSource(source: string | URL): string {
  const text = String(source);
  return text.startsWith('data:') ? 'data: URL' : text;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'no such file';
    case 'EISDIR':
      return 'expected a file, got a folder';
    case 'EACCES':
    case 'EPERM':
      return 'no permission to read it';
    case 'ENXIO':
      return 'expected a file, got a socket';
  }
  return error.message;
}

/** Where a file is written before it is put into its place: beside it, with its extension. */
export function placeBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.part${extname(path)}`);
}

/** Names that `placeBeside` makes. */
const BESIDE = /^\.(?<name>.+)\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.part(\.[^.]*)?$/s;
/** What a process writes beside a place is its own for so long after its last write. */
const ABANDONED_MS = 3_600_000;

/** Deletes what killed processes have left beside a file that this one alone may write. */
export function sweepBeside(path: string): Promise<void> {
  return sweep(dirname(path), async (name) => BESIDE.exec(name)?.groups?.name === basename(path));
}

/** Deletes what killed processes have left in a folder that others may write to, too. */
export function sweepFolder(folder: string): Promise<void> {
  const age = async (name: string) => Date.now() - (await stat(join(folder, name))).mtimeMs;
  return sweep(folder, async (name) => BESIDE.test(name) && (await age(name)) >= ABANDONED_MS);
}

/** Nothing is lost where this fails. */
async function sweep(folder: string, isStale: (name: string) => Promise<boolean>): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (await isStale(name).catch(() => false)) await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

/**
 * Writes a file beside its place and then puts it there, so that a reader never sees half of one and a failure, of
 * `produce` too, leaves what was there before. A failure is a `Failure` that names the path.
 */
export async function writeWhole(
  path: string,
  produce: () => string | Uint8Array | Promise<Uint8Array>,
  Failure: ErrorClass,
): Promise<void> {
  const temporary = placeBeside(path);
  try {
    await writeFile(temporary, await produce(), { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new Failure(`${path}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}
