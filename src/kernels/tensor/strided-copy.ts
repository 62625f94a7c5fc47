import { type Dims, rowMajorStrides, sizeOf } from '../../common/tensor.ts';
import { type Dispatch, dispatch, eight, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';

const WORKGROUP = 64;

/** Row-major, up to 8 dimensions; output dimension i is input dimension `perm[i]`. Bindings: input, output. */
export function transpose(dims: Dims, perm: readonly number[]): Dispatch {
  const strides = rowMajorStrides(dims);
  return copyView(
    dims,
    perm.map((axis) => dims[axis]!),
    perm.map((axis) => strides[axis]!),
    0,
  );
}

/** Row-major, up to 8 dimensions: `outDims` elements from `starts` on, `steps` apart. Bindings: input, output. */
export function slice(
  dims: Dims,
  { starts, steps, outDims }: { starts: readonly number[]; steps: readonly number[]; outDims: Dims },
): Dispatch {
  const strides = rowMajorStrides(dims);
  return copyView(
    dims,
    outDims,
    strides.map((stride, axis) => stride * steps[axis]!),
    strides.reduce((first, stride, axis) => first + stride * starts[axis]!, 0),
  );
}

function copyView(dims: Dims, outDims: Dims, strides: readonly number[], first: number): Dispatch {
  const count = sizeOf(outDims);
  return dispatch('strided-copy', {
    overrides: { WORKGROUP },
    params: packParams([...[count, first, 0, 0], ...eight(outDims, 1), ...eight(strides, 0)]),
    bindingBytes: [floatBytes(sizeOf(dims)), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
