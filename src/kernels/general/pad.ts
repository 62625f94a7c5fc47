import { type Dims, rowMajorStrides, sizeOf } from '../../common/tensor.ts';
import { type Dispatch, eight, flatGrid, packParams } from '../dispatch.ts';
import { blocksOf, floatBytes, packedBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

/** What stands beyond a tensor's ends: a number, its mirror image, its outermost elements, or itself again. */
export type PadMode = 'constant' | 'reflect' | 'edge' | 'wrap';

export const PAD_MODES: readonly PadMode[] = ['constant', 'reflect', 'edge', 'wrap'];

export interface PadSpec {
  /** Of the input. */
  readonly dims: Dims;
  /** Elements added before every axis, then those behind it; negative ones are taken off, before any is added. */
  readonly pads: readonly number[];
  readonly mode: PadMode;
  readonly value: number;
}

const WORKGROUP = 64;

/** The part of the input that is padded, and the output. */
function extentsOf({ dims, pads }: PadSpec) {
  const before = pads.slice(0, dims.length);
  const behind = pads.slice(dims.length);
  const starts = before.map((pad) => Math.max(0, -pad));
  return {
    starts,
    sizes: dims.map((dim, i) => dim - starts[i]! - Math.max(0, -behind[i]!)),
    added: before.map((pad) => Math.max(0, pad)),
    outDims: dims.map((dim, i) => dim + before[i]! + behind[i]!),
  };
}

function modeOf(spec: PadSpec): { WORKGROUP: number; MODE: number } {
  return { WORKGROUP, MODE: PAD_MODES.indexOf(spec.mode) };
}

/** Of a row-major tensor of up to 8 dimensions. Bindings: input, output. */
export function pad(spec: PadSpec): Dispatch {
  const { starts, sizes, added, outDims } = extentsOf(spec);
  const strides = rowMajorStrides(spec.dims);
  const count = sizeOf(outDims);
  const first = strides.reduce((at, stride, axis) => at + stride * starts[axis]!, 0);
  const value = new Int32Array(Float32Array.of(spec.value).buffer)[0]!;
  return dispatch('pad', {
    overrides: modeOf(spec),
    params: packParams([
      ...[count, first, value, 0],
      ...eight(outDims, 1),
      ...eight(sizes, 1),
      ...eight(strides, 0),
      ...eight(added, 0),
    ]),
    bindingBytes: [floatBytes(sizeOf(spec.dims)), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}

/** Of NC4HW4 images, along all four dimensions. Bindings: input, output. */
export function padImage(spec: PadSpec): Dispatch {
  const { starts, sizes, added, outDims } = extentsOf(spec);
  const [n, c, h, w] = outDims as [number, number, number, number];
  const count = n * blocksOf(c) * 4 * h * w;
  return dispatch('pad-image', {
    overrides: modeOf(spec),
    params: packParams([...outDims, ...spec.dims, ...starts, ...sizes, ...added, count], [spec.value]),
    bindingBytes: [
      packedBytes(...(spec.dims as typeof outDims as [number, number, number, number])),
      packedBytes(n, c, h, w),
    ],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
