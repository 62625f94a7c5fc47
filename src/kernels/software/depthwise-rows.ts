import { depthwiseWeightBytes } from '../conv/depthwise.ts';
import { type ConvSpec, convLaunch } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

/** Columns of one invocation, by stride. */
const PIXELS = { 1: 4, 2: 2 };
/** Rows of one invocation. */
const ROWS = 16;
const WORKGROUP = 8;

/** Whether `depthwiseRows` can do a depthwise convolution: 3×3, stride 1 or 2, not dilated. */
export function slidesByRows({ kernel, strides: [down, right], dilations }: ConvSpec): boolean {
  return kernel.every((k) => k === 3) && down === right && down <= 2 && dilations.every((d) => d === 1);
}

/** `depthwise` for `slidesByRows` convolutions with a third of the loads and fewer invocations. Bindings as there. */
export function depthwiseRows(spec: ConvSpec): Dispatch {
  const stride = spec.strides[0] === 1 ? 1 : 2;
  const pixels = PIXELS[stride];
  const tiles = Math.ceil(spec.outWidth / pixels) * Math.ceil(spec.outHeight / ROWS) * blocksOf(spec.outChannels);
  const launch = convLaunch(spec, {
    consts: { ROWS, PIXELS: pixels, COLUMNS: stride * (pixels - 1) + 3 },
    overrides: { WORKGROUP },
    weightBytes: depthwiseWeightBytes(spec),
    workgroups: [Math.ceil(tiles / WORKGROUP), spec.batch, 1],
  });
  return dispatch(stride === 1 ? 'depthwise-rows' : 'depthwise-rows-stride2', launch);
}
