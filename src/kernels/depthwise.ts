import { shaders } from '../shaders.gen.ts';
import { type ConvSpec, convBindings, convFlops, convParams } from './conv-spec.ts';
import { blocksOf, type Dispatch } from './kernel.ts';

const WORKGROUP = 64;
/** `depthwise-rows`: columns and rows of one invocation, and the invocations of a workgroup. */
const COLUMNS = 2;
const ROWS = 10;
const ROWS_WORKGROUP = 8;

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
    flops: convFlops(spec),
  };
}

/** Whether `depthwiseRows` can do a depthwise convolution: 3×3, stride 1, not dilated. */
export function slidesByRows({ kernel, strides, dilations }: ConvSpec): boolean {
  return kernel.every((k) => k === 3) && [...strides, ...dilations].every((value) => value === 1);
}

/** `depthwise` for `slidesByRows` convolutions with a third of the loads and fewer invocations. Bindings as there. */
export function depthwiseRows(spec: ConvSpec): Dispatch {
  const tiles = Math.ceil(spec.outWidth / COLUMNS) * Math.ceil(spec.outHeight / ROWS);
  return {
    ...depthwise(spec),
    kernel: 'depthwise-rows',
    source: shaders['depthwise-rows'],
    constants: { WORKGROUP: ROWS_WORKGROUP },
    workgroups: [Math.ceil(tiles / ROWS_WORKGROUP), blocksOf(spec.outChannels), spec.batch],
  };
}
