import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

export interface TopKSpec {
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
  readonly k: number;
  readonly largest: boolean;
  /** Of elements, or numbers of elements along the axis. */
  readonly part: 'values' | 'indices';
}

const WORKGROUP = 64;

/** The k largest or smallest, in order, of the middle of a row-major outer × axis × inner tensor. Bindings: input, output. */
export function topK({ outer, axis, inner, k, largest, part }: TopKSpec): Dispatch {
  const count = outer * axis * inner;
  return dispatch('top-k', {
    overrides: { WORKGROUP, LARGEST: largest ? 1 : 0, INDICES: part === 'indices' ? 1 : 0 },
    params: packParams([count, axis, inner, k]),
    bindingBytes: [floatBytes(count), floatBytes(outer * k * inner)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
