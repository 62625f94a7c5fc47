import { blocksOf, type Dispatch, floatBytes } from '../dispatch.ts';
import { shaders } from '../shaders.gen.ts';
import { type ConvSpec, convBindings, convFlops, convOverrides, convParams } from './spec.ts';

const WORKGROUP = 64;

/** Any grouping of channels. Bindings: input, weights in ONNX order, bias, residual, output. */
export function conv2dGrouped(spec: ConvSpec): Dispatch {
  const weights = spec.outChannels * (spec.inChannels / spec.group) * spec.kernel[0] * spec.kernel[1];
  return {
    kernel: 'conv2d-grouped',
    source: shaders['conv2d-grouped'],
    constants: { WORKGROUP, ...convOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, floatBytes(weights)),
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / WORKGROUP), blocksOf(spec.outChannels), spec.batch],
    flops: convFlops(spec),
  };
}
