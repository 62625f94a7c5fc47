import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { isRecord } from '../../common/check.ts';

/** Tells this process from others of its number: numbers begin anew with a machine or a container. */
const SELF = randomUUID();

/** How often an owner shows that it lives, and after what silence one of another machine counts as dead. */
const SIGN_MS = 15_000;
const SILENCE_MS = 120_000;
/** A lock without an owner is one that is being written, or whose process died at it. */
const UNSIGNED_MS = 10_000;

/**
 * Takes a file for this process alone, by a file `.lock` beside it that names the process and its machine; one that a dead process
 * has left is taken over.
 * @returns what gives it back
 * @throws Error that names who has it
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  const lock = `${path}.lock`;
  const own = (await create(lock)) ?? (await takeOver(path, lock));
  const timer = setInterval(() => void sign(own).catch(() => {}), SIGN_MS).unref();
  return async () => {
    clearInterval(timer);
    await own.close();
    await rm(lock, { force: true });
  };
}

/** Undefined where the file was there before. */
async function create(lock: string): Promise<FileHandle | undefined> {
  try {
    const handle = await open(lock, 'wx');
    await sign(handle);
    return handle;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw new Error(`${lock}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** By a write, whose time is the file server's, whatever this machine's clock says. */
async function sign(handle: FileHandle): Promise<void> {
  await handle.write(JSON.stringify({ pid: process.pid, host: hostname(), self: SELF }), 0);
}

/**
 * A lock in the place of a dead process's. One at a time removes what is dead and makes its own, and nothing else is removed: else two
 * that find the same dead one would have it, the second after it has removed what the first has made.
 */
async function takeOver(path: string, lock: string): Promise<FileHandle> {
  const turn = await create(`${lock}.turn`);
  if (!turn) throw taken(path, `${lock}.turn`, 'another process');
  try {
    const found = await readLock(lock, (await turn.stat()).mtimeMs);
    if (found === 'dead') await rm(lock);
    const own = found === 'dead' || found === 'gone' ? await create(lock) : undefined;
    if (own) return own;
    throw taken(path, lock, typeof found === 'object' ? found.owner : 'another process');
  } finally {
    await turn.close();
    await rm(`${lock}.turn`, { force: true });
  }
}

function taken(path: string, lock: string, owner: string): Error {
  return new Error(
    `${path}: ${owner} is writing it; give each run a file of its own, or delete ${lock} if there is none`,
  );
}

/**
 * What there is of a lock: who has it, nobody any more, or no file.
 * @param now by the clock that the lock's time is of
 */
async function readLock(lock: string, now: number): Promise<{ readonly owner: string } | 'dead' | 'gone'> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    const owner: unknown = text === '' ? {} : JSON.parse(text);
    const { pid, host, self } = isRecord(owner) ? owner : {};
    if (typeof pid !== 'number' || typeof host !== 'string') {
      return now - mtimeMs < UNSIGNED_MS ? { owner: 'another process' } : 'dead';
    }
    if (host !== hostname()) return now - mtimeMs < SILENCE_MS ? { owner: `process ${pid} of ${host}` } : 'dead';
    const isOther = pid === process.pid && self !== SELF;
    const ended = isOther || mtimeMs < Date.now() - uptime() * 1000 || !isAlive(pid);
    return ended ? 'dead' : { owner: `process ${pid}` };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : { owner: 'another process' };
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
