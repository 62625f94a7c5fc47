import { type Activation, activationParams } from '../activation.ts';
import { type Dispatch, dispatch, flatGrid, packParams } from '../dispatch.ts';

const WORKGROUP = 64;

/** Applies an activation to `vectors` vec4, whatever they mean. Bindings: input, output. */
export function unary(activation: Activation, vectors: number): Dispatch {
  const { sigmoid, floats } = activationParams(activation);
  return dispatch('unary', {
    overrides: { WORKGROUP },
    params: packParams([vectors, sigmoid], floats),
    bindingBytes: [vectors * 16, vectors * 16],
    workgroups: flatGrid(vectors, WORKGROUP),
  });
}
