import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { ModelError } from '../../common/errors.ts';
import type { RemoteFile, Sink } from '../../models/download.ts';
import type { ModelEntry } from '../../models/registry.ts';

/** A file of a process that died is taken over once nobody has written to it for this long. */
const ABANDONED_MS = 3_600_000;
/** What `PartialFile` calls a file that is being written. */
const TEMPORARY = /\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;

/** The folder of downloaded models: `models` in `home`, in SCRFD_HOME, or in the user's cache folder. */
export function cacheFolder(home: string | undefined): string {
  return join(cacheHome(home), 'models');
}

/** The place of a model in its folder. @throws ModelError for an entry whose `file` is no plain name, which could lead out of it */
export function cachePath(folder: string, { name, file }: Pick<ModelEntry, 'name' | 'file'>): string {
  if (/^(?!\.)[^/\\:\0]+$/.test(file)) return join(folder, file);
  throw new ModelError(`${name}: expected its file to be a plain name, got ${JSON.stringify(file)}`);
}

/** The folder of all that is kept between processes. */
export function cacheHome(home: string | undefined): string {
  return home ?? (process.env.SCRFD_HOME || defaultHome(process.platform, process.env, homedir()));
}

/** Where this platform keeps caches. */
export function defaultHome(platform: NodeJS.Platform, env: Readonly<NodeJS.ProcessEnv>, user: string): string {
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(user, 'AppData', 'Local'), 'scrfd');
  if (platform === 'darwin') return join(user, 'Library', 'Caches', 'scrfd');
  return join(env.XDG_CACHE_HOME || join(user, '.cache'), 'scrfd');
}

/** SHA-256 of a file, hexadecimal. */
async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Uint8Array);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
  return hash.digest('hex');
}

type Expected = Pick<ModelEntry, 'bytes' | 'sha256'>;

/** Whether a file has the bytes it should have; one that can't be read is absent. */
export async function checkFile(
  path: string,
  { bytes, sha256 }: Expected,
  signal?: AbortSignal,
): Promise<'sound' | 'damaged' | 'absent'> {
  try {
    const { size } = await stat(path);
    return size === bytes && (await hashFile(path, signal)) === sha256 ? 'sound' : 'damaged';
  } catch {
    signal?.throwIfAborted();
    return 'absent';
  }
}

/**
 * A download on its way into the cache. Its name is its own, so that processes don't meet in it; `keep` leaves it
 * to the next download, which claims it by renaming, and only `publish` gives it its final name.
 */
export class PartialFile implements Sink {
  readonly #folder: string;
  readonly #key: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  #size: number;
  #open = true;

  private constructor(folder: string, key: string, path: string, handle: FileHandle, size: number) {
    this.#folder = folder;
    this.#key = key;
    this.#path = path;
    this.#handle = handle;
    this.#size = size;
  }

  /** Opens a file in `folder`, with what an earlier download of `key` has left if `resume`. */
  static async open(folder: string, key: string, resume: boolean): Promise<PartialFile> {
    const path = join(folder, `${key}.${randomUUID()}.tmp`);
    return onDisk(folder, async () => {
      await mkdir(folder, { recursive: true });
      if (resume) await claim(folder, key, path);
      await sweep(folder);
      const handle = await open(path, resume ? 'a+' : 'ax+');
      return new PartialFile(folder, key, path, handle, (await handle.stat()).size);
    });
  }

  get size(): number {
    return this.#size;
  }

  /** The file as an archive to read from. */
  get archive(): RemoteFile {
    const handle = this.#handle;
    return {
      size: this.#size,
      async *read(start, end) {
        for (let at = start; at < end; ) {
          const { bytesRead, buffer } = await handle.read(new Uint8Array(Math.min(end - at, 2 ** 18)), {
            position: at,
          });
          if (bytesRead === 0) return;
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      },
    };
  }

  async write(chunk: Uint8Array): Promise<void> {
    await onDisk(this.#folder, async () => {
      for (let at = 0; at < chunk.byteLength; ) {
        const { bytesWritten } = await this.#handle.write(chunk, at);
        at += bytesWritten;
        this.#size += bytesWritten;
      }
    });
  }

  async reset(): Promise<void> {
    await onDisk(this.#folder, () => this.#handle.truncate(0));
    this.#size = 0;
  }

  sha256(signal?: AbortSignal): Promise<string> {
    return onDisk(this.#folder, () => hashFile(this.#path, signal), signal);
  }

  /** Gives the file, whose bytes have been checked, its final name. */
  async publish(expected: Expected, path: string): Promise<void> {
    try {
      await onDisk(this.#folder, async () => {
        await this.#handle.sync();
        await this.#close();
        await rename(this.#path, path);
      });
    } catch (error) {
      await this.discard();
      // Windows refuses to replace a file that another process, which was faster, is reading
      if ((await checkFile(path, expected)) !== 'sound') throw error;
    }
  }

  /** Leaves what is here to the next download. */
  async keep(): Promise<void> {
    if (this.#size === 0) return this.discard();
    await this.#close();
    await rename(this.#path, join(this.#folder, `${this.#key}.part`)).catch(() => this.discard());
  }

  async discard(): Promise<void> {
    await this.#close();
    await rm(this.#path, { force: true }).catch(() => {});
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close().catch(() => {});
  }
}

/** Moves an earlier download of `key` to `path`, if there is one; of several claimants one gets it. */
async function claim(folder: string, key: string, path: string): Promise<void> {
  for (const name of await leftovers(folder, [key])) {
    const leftover = join(folder, name);
    try {
      if (name.endsWith('.tmp') && !(await isAbandoned(leftover))) continue;
      // young again, so that nobody else takes it for a dead process's
      await utimes(leftover, new Date(), new Date());
      await rename(leftover, path);
      return;
    } catch {
      // another process was faster
    }
  }
}

/** Deletes what processes that died have left in the folder. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    if (TEMPORARY.test(name) && (await isAbandoned(path).catch(() => false))) await rm(path, { force: true });
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  return Date.now() - (await stat(path)).mtimeMs >= ABANDONED_MS;
}

/** Names of unfinished downloads of `keys`, the resumable ones first. */
async function leftovers(folder: string, keys: readonly string[]): Promise<string[]> {
  const unfinished = (name: string) =>
    keys.some((key) => name.startsWith(`${key}.`) && /^(part|[\da-f-]{36}\.tmp)$/.test(name.slice(key.length + 1)));
  const names = await readdir(folder).catch(() => []);
  return names.filter(unfinished).sort((a, b) => Number(b.endsWith('.part')) - Number(a.endsWith('.part')));
}

/** Deletes a model and what unfinished downloads of it have left; whether there was anything. */
export async function removeFromCache(
  folder: string,
  entry: ModelEntry,
  archives: readonly string[],
): Promise<boolean> {
  const { file } = entry;
  const path = cachePath(folder, entry);
  const names = await leftovers(folder, [file, ...archives]);
  const present = await stat(path).then(
    () => [file],
    () => [],
  );
  await onDisk(folder, () =>
    Promise.all([...names, ...present].map((name) => rm(join(folder, name), { force: true }))),
  );
  return names.length + present.length > 0;
}

/** The name under which an unfinished archive is kept. */
export function archiveKey(url: string): string {
  return basename(new URL(url).pathname).replaceAll(/[^\w.-]/g, '_') || 'archive';
}

async function onDisk<T>(folder: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw new ModelError(`${folder}: ${reasonOf(error as NodeJS.ErrnoException)}`, { cause: error });
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return 'the disk is full; make room, or set SCRFD_HOME to a folder on another disk';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'no permission to write there; set SCRFD_HOME to a folder that can be written';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'expected a folder, got a file; set SCRFD_HOME to a folder';
    default:
      return `cannot be written (${message})`;
  }
}
