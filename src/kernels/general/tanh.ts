import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';

const WORKGROUP = 64;

/** Hyperbolic tangent of `vectors` vec4, whatever they mean. Bindings: input, output. */
export function tanh(vectors: number): Dispatch {
  return dispatch('tanh', {
    overrides: { WORKGROUP },
    params: packParams([vectors]),
    bindingBytes: [vectors * 16, vectors * 16],
    workgroups: flatGrid(vectors, WORKGROUP),
  });
}
