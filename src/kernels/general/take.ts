import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

const WORKGROUP = 64;

/** The kernel's constant: numbers of elements along the axis. */
export function packPicks(picks: readonly number[]): Float32Array<ArrayBuffer> {
  const table = new Int32Array(floatBytes(picks.length) / 4);
  table.set(picks);
  return new Float32Array(table.buffer);
}

/** So many elements of the middle of a row-major outer × axis × inner tensor, by a table. Bindings: input, table, output. */
export function take(outer: number, axis: number, inner: number, picks: number): Dispatch {
  const count = outer * picks * inner;
  return dispatch('take', {
    overrides: { WORKGROUP },
    params: packParams([count, axis, inner, picks]),
    bindingBytes: [floatBytes(outer * axis * inner), floatBytes(picks), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
