import { shaders } from '../shaders.gen.ts';
import { type Dims, rowMajorStrides, sizeOf } from '../tensor.ts';
import { type Dispatch, eight, flatGrid, floatBytes, packParams } from './kernel.ts';

const WORKGROUP = 64;

/** Row-major, up to 8 dimensions; output dimension i is input dimension `perm[i]`. Bindings: input, output. */
export function transpose(dims: Dims, perm: readonly number[]): Dispatch {
  const count = sizeOf(dims);
  const strides = rowMajorStrides(dims);
  const outDims = perm.map((axis) => dims[axis]!);
  const outStrides = perm.map((axis) => strides[axis]!);
  return {
    kernel: 'transpose',
    source: shaders.transpose,
    constants: { WORKGROUP },
    params: packParams([...[count, 0, 0, 0], ...eight(outDims, 1), ...eight(outStrides, 0)]),
    bindingBytes: [floatBytes(count), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  };
}
