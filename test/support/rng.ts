export interface Rng {
  /** A number in `[lo, hi)`. */
  uniform(lo: number, hi: number): number;
  /** An integer in `[lo, hi]`. */
  int(lo: number, hi: number): number;
  /** A standard normal number. */
  normal(): number;
  pick<T>(items: readonly T[]): T;
  /** `n` float32 numbers in `[lo, hi)`, by default in `[-1, 1)`. */
  floats(n: number, lo?: number, hi?: number): Float32Array<ArrayBuffer>;
  bytes(n: number): Uint8Array<ArrayBuffer>;
}

/** Mulberry32: the same seed gives the same numbers everywhere. */
export function createRng(seed: number): Rng {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const uniform = (lo: number, hi: number) => lo + (hi - lo) * next();
  const int = (lo: number, hi: number) => lo + Math.floor((hi - lo + 1) * next());
  return {
    uniform,
    int,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    pick: (items) => items[int(0, items.length - 1)]!,
    floats: (n, lo = -1, hi = 1) => new Float32Array(n).map(() => uniform(lo, hi)),
    bytes: (n) => new Uint8Array(n).map(() => int(0, 255)),
  };
}
