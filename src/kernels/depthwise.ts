import { shaders } from '../shaders.gen.ts';
import { type ConvSpec, convBindings, convParams } from './conv-spec.ts';
import { blocksOf, type Dispatch } from './kernel.ts';

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

/** One filter a channel: group = input channels = output channels. Bindings: input, weights, bias, residual, output. */
export function depthwise(spec: ConvSpec): Dispatch {
  const blocks = blocksOf(spec.outChannels);
  return {
    kernel: 'depthwise',
    source: shaders.depthwise,
    constants: { WORKGROUP },
    params: convParams(spec),
    bindingBytes: convBindings(spec, blocks * spec.kernel[0] * spec.kernel[1] * 16),
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / WORKGROUP), blocks, spec.batch],
  };
}
