import type { Rng } from '../support/rng.ts';

/** Something wrong that an input shows. */
export class Finding extends Error {
  override name = 'Finding';
}

/** What a target made of an input: words that are counted, such as `refused` or `same`. */
export type Outcome = string;

/** One kind of input that people who mean harm, and damaged disks, can hand in. */
export interface Target {
  /** Makes an input; the same for the same numbers. */
  make(rng: Rng): Promise<Uint8Array> | Uint8Array;
  /**
   * Hands an input in.
   * @param reference says that what follows is not the project's own code: a crash there counts for nothing
   * @throws whatever is wrong: every error counts
   */
  run(input: Uint8Array, reference: () => void): Promise<Outcome> | Outcome;
}

/** Passes over errors of these classes, which are for such inputs; any other is wrong. */
export function refusal(error: unknown, ...typed: readonly (new (...args: never[]) => Error)[]): Outcome {
  if (typed.some((Class) => error instanceof Class)) return `refused: ${(error as Error).name}`;
  throw error;
}

/** What an input may take: a second of CPU time a megabyte, and 500 MB. */
export const MOST_SECONDS = 1;
export const MOST_BYTES = 500e6;

/** @throws Finding where a task takes more CPU time than an input of this size may */
export async function withinTime<T>(bytes: number, what: string, task: () => Promise<T> | T): Promise<T> {
  const start = process.cpuUsage();
  try {
    return await task();
  } finally {
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    const most = MOST_SECONDS * Math.max(1, bytes / 1e6);
    // biome-ignore lint/correctness/noUnsafeFinally: an error that takes too long is found for its time
    if (seconds > most) throw new Finding(`${what} takes ${seconds.toFixed(1)} s of CPU time, more than ${most}`);
  }
}

/** Copies of bytes with a few changes: bits, bytes, runs that go, come twice or move. */
export function mutateBytes(rng: Rng, original: Uint8Array): Uint8Array {
  let bytes = original.slice();
  for (let round = rng.int(1, 4); round > 0 && bytes.length > 1; round--) {
    const at = rng.int(0, bytes.length - 1);
    const length = rng.int(1, Math.min(bytes.length - at, 64));
    switch (rng.int(0, 5)) {
      case 0:
        bytes[at]! ^= 1 << rng.int(0, 7);
        break;
      case 1:
        bytes[at] = rng.pick([0, 1, 0x7f, 0x80, 0xff, rng.int(0, 255)]);
        break;
      case 2:
        bytes = concat(bytes.subarray(0, at), bytes.subarray(at + length));
        break;
      case 3:
        bytes = concat(bytes.subarray(0, at + length), bytes.subarray(at));
        break;
      case 4:
        bytes = concat(bytes.subarray(0, at), rng.bytes(length), bytes.subarray(at));
        break;
      default:
        bytes.copyWithin(at, rng.int(0, bytes.length - 1), bytes.length);
    }
  }
  return rng.uniform(0, 1) < 0.05 ? bytes.subarray(0, rng.int(0, bytes.length)) : bytes;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}
