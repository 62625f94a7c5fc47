/** A value between the steps that first write and last touch it, both counted in. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface Assignment {
  /** Buffer index of each value. */
  readonly bufferOf: readonly number[];
  /** Bytes of each buffer. */
  readonly buffers: readonly number[];
}

/** Buffers that are tried for a value, so that a graph of very many values at the same time takes no quadratic time. */
const MOST_TRIED = 256;

/** Where a value goes among others that do not overlap each other, by the start of their lives; -1 where it overlaps one. */
function placeAmong(others: readonly Lifetime[], value: Lifetime): number {
  let low = 0;
  let high = others.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (others[middle]!.first < value.first) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [others[low - 1], others[low]];
  return (before && before.last >= value.first) || (after && after.first <= value.last) ? -1 : low;
}

/**
 * Gives each value a whole buffer that no other value needs at the same time, largest values first.
 * Whole buffers, because WebGPU refuses one buffer bound for reading and writing in one dispatch, even in parts.
 */
export function assignBuffers(lifetimes: readonly Lifetime[], reuse: boolean): Assignment {
  if (!reuse) return { bufferOf: lifetimes.map((_, i) => i), buffers: lifetimes.map((value) => value.bytes) };
  const order = lifetimes.map((_, i) => i).sort((a, b) => lifetimes[b]!.bytes - lifetimes[a]!.bytes || a - b);
  const bufferOf = new Array<number>(lifetimes.length);
  const tenants: Lifetime[][] = [];
  const buffers: number[] = [];
  for (const index of order) {
    const value = lifetimes[index]!;
    let buffer = 0;
    let place = -1;
    for (; buffer < Math.min(tenants.length, MOST_TRIED) && place < 0; buffer++) {
      place = placeAmong(tenants[buffer]!, value);
    }
    if (place < 0) {
      buffer = tenants.push([value]) - 1;
      buffers.push(value.bytes);
    } else tenants[--buffer]!.splice(place, 0, value);
    bufferOf[index] = buffer;
  }
  return { bufferOf, buffers };
}
