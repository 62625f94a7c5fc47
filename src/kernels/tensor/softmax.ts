import { type Dispatch, dispatch, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';

const WORKGROUP = 64;

/** Over the middle of a row-major outer × axis × inner tensor. Bindings: input, output. */
export function softmax(outer: number, axis: number, inner: number): Dispatch {
  const bytes = floatBytes(outer * axis * inner);
  return dispatch('softmax', {
    overrides: { WORKGROUP },
    params: packParams([outer * inner, axis, inner]),
    bindingBytes: [bytes, bytes],
    workgroups: flatGrid(outer * inner, WORKGROUP),
  });
}
