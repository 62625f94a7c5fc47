import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

type ErrorClass = new (message: string, options?: ErrorOptions) => Error;

/**
 * Reads a file by path or file: URL, anything else that fetch can (http:, https:, data:) by URL.
 * A failure is a `Failure` that names the source; an abort rejects with `signal.reason`.
 */
export async function readSource(
  source: string | URL,
  signal: AbortSignal | undefined,
  Failure: ErrorClass,
): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  try {
    const url = asUrl(source);
    if (url === undefined) return await readFile(source, { signal });
    if (url.protocol === 'file:') return await readFile(fileURLToPath(url), { signal });
    return await download(url, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new Failure(`${describeSource(source)}: ${reasonOf(error)}`, { cause: error });
  }
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

async function download(url: URL, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, signal === undefined ? {} : { signal });
  if (!response.ok) throw new Error(`expected HTTP 200, got ${response.status} ${response.statusText}`.trimEnd());
  return new Uint8Array(await response.arrayBuffer());
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
  }
  // fetch says only "fetch failed"; what failed is in the cause
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Where a file is written before it is put into its place: beside it, with its extension. */
export function placeBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.part${extname(path)}`);
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
