import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';

/** Types that hold fewer numbers than float32 does; integers are cut, not rounded. */
export type CastType = 'float16' | 'bfloat16' | 'integer' | 'bool';

const TYPES: readonly CastType[] = ['float16', 'bfloat16', 'integer', 'bool'];
const WORKGROUP = 64;

/** What another type holds of `vectors` vec4, whatever they mean. Bindings: input, output. */
export function cast(to: CastType, vectors: number): Dispatch {
  return dispatch('cast', {
    overrides: { WORKGROUP, TO: TYPES.indexOf(to) },
    params: packParams([vectors]),
    bindingBytes: [vectors * 16, vectors * 16],
    workgroups: flatGrid(vectors, WORKGROUP),
  });
}
