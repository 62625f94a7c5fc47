import { constants } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { placeBeside, sweepBeside } from '../../node/files.ts';
import { lockFile } from './lock.ts';
import { Reported } from './report.ts';

/** Where results go as they come. */
export interface ResultTarget {
  /** All of a text or, where that fails, nothing of it. */
  put(text: string): Promise<void>;
  /** Ends what is whole. */
  end(): Promise<void>;
  /** Ends what is not: of a file that was to be put into its place nothing stays. */
  abandon(): Promise<void>;
}

export const standardOutput: ResultTarget = {
  put: (text) =>
    new Promise((resolve, reject) => {
      // the stream's event says what is wrong, once for all
      process.stdout.write(text, (error) => (error ? reject(new Reported()) : resolve()));
    }),
  end: async () => {},
  abandon: async () => {},
};

/**
 * A file for this process alone: written beside its place, and put there in the end, or growing in its place.
 * @param keep readies what is there to be gone on with, once it is this process's own
 */
export async function openResultFile(
  path: string,
  mode: 'whole' | 'growing',
  keep?: (path: string) => Promise<void>,
): Promise<ResultTarget> {
  const stats = await stat(path).catch(() => undefined);
  // a pipe or a terminal has neither a length nor a place beside it
  if (stats && !stats.isFile()) return openStream(path);
  const whole = mode === 'whole';
  const place = stats ? await realpath(path) : path;
  const unlock = await lockFile(place);
  try {
    await sweepBeside(place);
    await keep?.(place);
    const name = whole ? placeBeside(place) : place;
    const handle = await open(name, whole ? 'wx' : keep ? constants.O_RDWR | constants.O_CREAT : 'w');
    const writer = new WholeWriter(handle, (await handle.stat()).size);
    const close = async () => {
      await handle.close();
      await unlock();
    };
    return {
      put: (text) => writer.put(text),
      async end() {
        await handle.sync();
        if (whole) await rename(name, place);
        await close();
      },
      async abandon() {
        if (whole) await rm(name, { force: true });
        await close();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function openStream(path: string): Promise<ResultTarget> {
  const handle = await open(path, 'w');
  const close = () => handle.close();
  return { put: (text) => handle.appendFile(text), end: close, abandon: close };
}

/** Writes texts one behind the other, each whole: what a full disk leaves of one is cut off, and the next takes its place. */
class WholeWriter {
  readonly #handle: FileHandle;
  #size: number;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.#size = size;
  }

  async put(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at, this.#size + at)).bytesWritten;
      }
    } catch (error) {
      await this.#handle.truncate(this.#size).catch(() => {});
      throw error;
    }
    this.#size += bytes.length;
  }
}
