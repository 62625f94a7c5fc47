import { type Dims, rowMajorStrides, sizeOf } from '../../common/tensor.ts';
import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';
import { lanesFor, WORKGROUP } from './lanes.ts';

/** As reduce.wgsl numbers them. */
const REDUCTIONS = ['sum', 'mean', 'max', 'min', 'prod', 'l1', 'l2', 'sumSquare', 'logSum', 'logSumExp'] as const;

/** What becomes of many numbers. */
export type Reduction = (typeof REDUCTIONS)[number];

/** Neighbouring axes of a kind are one: what stays, then what goes. Their sizes, and elements from one to the next. */
function joinAxes(dims: Dims, axes: ReadonlySet<number>) {
  const strides = rowMajorStrides(dims);
  const joined = {
    kept: { dims: [] as number[], strides: [] as number[] },
    gone: { dims: [] as number[], strides: [] as number[] },
  };
  dims.forEach((dim, axis) => {
    const group = axes.has(axis) ? joined.gone : joined.kept;
    if (axis > 0 && axes.has(axis) === axes.has(axis - 1)) {
      group.dims.push(group.dims.pop()! * dim);
      group.strides.pop();
    } else group.dims.push(dim);
    group.strides.push(strides[axis]!);
  });
  return joined;
}

/** Up to four numbers, aligned to the left. */
function four(values: readonly number[], fill: number): number[] {
  return [...values, ...new Array<number>(4 - values.length).fill(fill)];
}

/** Along `axes` of a row-major tensor of up to 8 dimensions. Bindings: input, output. */
export function reduce(reduction: Reduction, dims: Dims, axes: ReadonlySet<number>): Dispatch {
  const { kept, gone } = joinAxes(dims, axes);
  const [count, size] = [sizeOf(kept.dims), sizeOf(gone.dims)];
  const lanes = lanesFor(count, size);
  return dispatch('reduce', {
    consts: { LANES: lanes },
    overrides: { REDUCTION: REDUCTIONS.indexOf(reduction) },
    params: packParams(
      [
        ...[count, size, 0, 0],
        ...four(kept.dims, 1),
        ...four(kept.strides, 0),
        ...four(gone.dims, 1),
        ...four(gone.strides, 0),
      ],
      [Infinity, NaN],
    ),
    bindingBytes: [floatBytes(sizeOf(dims)), floatBytes(count)],
    workgroups: flatGrid(count * lanes, WORKGROUP),
  });
}
