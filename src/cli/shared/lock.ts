import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { isRecord } from '../../common/check.ts';

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
  let handle = await create(lock);
  if (!handle) {
    await takeOver(path, lock);
    handle = await create(lock);
  }
  if (!handle) throw taken(path, lock, 'another process');
  const own = handle;
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
  await handle.write(JSON.stringify({ pid: process.pid, host: hostname() }), 0);
}

/** Removes a dead process's lock. Of several that find it dead one does, so that none removes what another has made since. */
async function takeOver(path: string, lock: string): Promise<void> {
  const turn = await create(`${lock}.turn`);
  if (!turn) throw taken(path, `${lock}.turn`, 'another process');
  try {
    const owner = await livingOwner(lock, (await turn.stat()).mtimeMs);
    if (owner !== undefined) throw taken(path, lock, owner);
    await rm(lock, { force: true });
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

/** @param now by the clock that the lock's time is of */
async function livingOwner(lock: string, now: number): Promise<string | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    const owner: unknown = text === '' ? {} : JSON.parse(text);
    const { pid, host } = isRecord(owner) ? owner : {};
    if (typeof pid !== 'number' || typeof host !== 'string') {
      return now - mtimeMs < UNSIGNED_MS ? 'another process' : undefined;
    }
    if (host !== hostname()) return now - mtimeMs < SILENCE_MS ? `process ${pid} of ${host}` : undefined;
    // numbers begin anew with the machine, and with a container this process may have the dead one's
    const ended = pid === process.pid || mtimeMs < Date.now() - uptime() * 1000 || !isAlive(pid);
    return ended ? undefined : `process ${pid}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'another process';
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
