import { createRandom, type Random } from '../../src/common/random.ts';

/** Seeded numbers of a test, and arrays of them. */
export interface Rng extends Random {
  /** A standard normal number. */
  normal(): number;
  /** `n` float32 numbers in `[lo, hi)`, by default in `[-1, 1)`. */
  floats(n: number, lo?: number, hi?: number): Float32Array<ArrayBuffer>;
  bytes(n: number): Uint8Array<ArrayBuffer>;
}

/** The same seed gives the same numbers everywhere. */
export function createRng(seed: number): Rng {
  const random = createRandom(seed);
  const { uniform, int } = random;
  return {
    ...random,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform(0, 1))) * Math.cos(2 * Math.PI * uniform(0, 1)),
    floats: (n, lo = -1, hi = 1) => new Float32Array(n).map(() => uniform(lo, hi)),
    bytes: (n) => new Uint8Array(n).map(() => int(0, 255)),
  };
}
