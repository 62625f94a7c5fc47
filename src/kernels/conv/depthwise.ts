import { type Dispatch, dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { type ConvSpec, convLaunch } from './spec.ts';

const WORKGROUP = 64;

/** Weights for `depthwise`: ONNX `[channels][1][kh][kw]` → `[channels/4][kh][kw]` of vec4 over channels. */
export function packDepthwiseWeights(
  weights: Float32Array,
  channels: number,
  [kernelHeight, kernelWidth]: readonly [number, number],
): Float32Array<ArrayBuffer> {
  const taps = kernelHeight * kernelWidth;
  const packed = new Float32Array(blocksOf(channels) * taps * 4);
  for (let channel = 0; channel < channels; channel++) {
    for (let tap = 0; tap < taps; tap++) {
      packed[((channel >> 2) * taps + tap) * 4 + (channel & 3)] = weights[channel * taps + tap]!;
    }
  }
  return packed;
}

/** Bytes of the packed weights. */
export function depthwiseWeightBytes({ outChannels, kernel }: ConvSpec): number {
  return blocksOf(outChannels) * kernel[0] * kernel[1] * 16;
}

/** One filter a channel: group = input channels = output channels. Bindings: input, weights, bias, residual, output. */
export function depthwise(spec: ConvSpec): Dispatch {
  const launch = convLaunch(spec, {
    overrides: { WORKGROUP },
    weightBytes: depthwiseWeightBytes(spec),
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / WORKGROUP), blocksOf(spec.outChannels), spec.batch],
  });
  return dispatch('depthwise', launch);
}
