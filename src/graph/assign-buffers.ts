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

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
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
    let buffer = tenants.findIndex((others) => others.every((other) => !overlap(value, other)));
    if (buffer < 0) {
      buffer = tenants.push([]) - 1;
      buffers.push(value.bytes);
    }
    tenants[buffer]!.push(value);
    bufferOf[index] = buffer;
  }
  return { bufferOf, buffers };
}
