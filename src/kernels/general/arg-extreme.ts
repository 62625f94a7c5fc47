import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';
import type { AxisSpec } from './slice-launch.ts';

const WORKGROUP = 64;

/** Where the largest number is, or the smallest; of equal ones the first, or the last. Bindings: input, output. */
export function argExtreme({ outer, axis, inner }: AxisSpec, kind: 'max' | 'min', last: boolean): Dispatch {
  const count = outer * inner;
  return dispatch('arg-extreme', {
    overrides: { WORKGROUP, LEAST: Number(kind === 'min'), LAST: Number(last) },
    params: packParams([count, axis, inner]),
    bindingBytes: [floatBytes(count * axis), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
