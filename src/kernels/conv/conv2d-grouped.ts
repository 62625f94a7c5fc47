import { type Dispatch, dispatch } from '../dispatch.ts';
import { blocksOf, floatBytes } from '../nc4hw4.ts';
import { type ConvSpec, convLaunch } from './spec.ts';

const WORKGROUP = 64;

/** Any grouping of channels. Bindings: input, weights in ONNX order, bias, residual, output. */
export function conv2dGrouped(spec: ConvSpec): Dispatch {
  const launch = convLaunch(spec, {
    overrides: { WORKGROUP },
    weightBytes: floatBytes(spec.outChannels * (spec.inChannels / spec.group) * spec.kernel[0] * spec.kernel[1]),
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / WORKGROUP), blocksOf(spec.outChannels), spec.batch],
  });
  return dispatch('conv2d-grouped', launch);
}
