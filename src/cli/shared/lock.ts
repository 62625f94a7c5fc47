import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { isRecord } from '../../common/check.ts';

/** A lock without an owner is one that is being written, or whose process died at it. */
const UNSIGNED_MS = 10_000;

/**
 * Takes a file for this process alone, by a file `.lock` beside it that names the process and its machine; one that a dead process
 * of this machine has left is taken over.
 * @returns what gives it back
 * @throws Error that names who has it
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  const lock = `${path}.lock`;
  if (!(await create(lock))) {
    await takeOver(path, lock);
    if (!(await create(lock))) throw taken(path, lock, 'another process');
  }
  return () => rm(lock, { force: true });
}

/** Whether the file was not there before. */
async function create(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new Error(`${lock}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** Removes a dead process's lock. Of several that find it dead one does, so that none removes what another has made since. */
async function takeOver(path: string, lock: string): Promise<void> {
  const turn = `${lock}.turn`;
  if (!(await create(turn))) throw taken(path, turn, 'another process');
  try {
    const owner = await livingOwner(lock);
    if (owner !== undefined) throw taken(path, lock, owner);
    await rm(lock, { force: true });
  } finally {
    await rm(turn, { force: true });
  }
}

function taken(path: string, lock: string, owner: string): Error {
  return new Error(
    `${path}: ${owner} is writing it; give each run a file of its own, or delete ${lock} if there is none`,
  );
}

async function livingOwner(lock: string): Promise<string | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    const owner: unknown = text === '' ? {} : JSON.parse(text);
    const { pid, host } = isRecord(owner) ? owner : {};
    if (typeof pid !== 'number' || typeof host !== 'string') {
      return Date.now() - mtimeMs < UNSIGNED_MS ? 'another process' : undefined;
    }
    if (host !== hostname()) return `process ${pid} of ${host}`;
    // numbers begin anew with the machine, and with a container this process may have the dead one's
    const ended = pid === process.pid || mtimeMs < Date.now() - uptime() * 1000 || !isAlive(pid);
    return ended ? undefined : `process ${pid}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return 'another process';
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
