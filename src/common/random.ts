/** Seeded numbers: the same on every machine, since nothing but exact arithmetic makes them. */
export interface Random {
  /** A number in `[low, high)`. */
  uniform(low: number, high: number): number;
  /** An integer in `[low, high]`. */
  int(low: number, high: number): number;
  pick<T>(items: readonly T[]): T;
}

/** Mulberry32. @throws RangeError unless `seed` is an integer */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected an integer, got ${seed}`);
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (low: number, high: number) => low + Math.floor((high - low + 1) * next());
  return {
    int,
    uniform: (low, high) => low + (high - low) * next(),
    pick: (items) => items[int(0, items.length - 1)]!,
  };
}
