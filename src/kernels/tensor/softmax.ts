import { type Dispatch, flatGrid, floatBytes, packParams } from '../dispatch.ts';
import { shaders } from '../shaders.gen.ts';

const WORKGROUP = 64;

/** Over the middle of a row-major outer × axis × inner tensor. Bindings: input, output. */
export function softmax(outer: number, axis: number, inner: number): Dispatch {
  const bytes = floatBytes(outer * axis * inner);
  return {
    kernel: 'softmax',
    source: shaders.softmax,
    constants: { WORKGROUP },
    params: packParams([outer, axis, inner]),
    bindingBytes: [bytes, bytes],
    workgroups: flatGrid(outer * inner, WORKGROUP),
  };
}
