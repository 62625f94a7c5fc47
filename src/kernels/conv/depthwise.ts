import { blocksOf, type Dispatch, specialize } from '../dispatch.ts';
import { shaders } from '../shaders.gen.ts';
import { type ConvSpec, convBindings, convFlops, convOverrides, convParams } from './spec.ts';

const WORKGROUP = 64;
/** Tile of one invocation of `depthwise-rows` by stride, and the invocations of a workgroup. */
const PIXELS = { 1: 4, 2: 2 };
const ROWS = 16;
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
    constants: { WORKGROUP, ...convOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, blocks * spec.kernel[0] * spec.kernel[1] * 16),
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / WORKGROUP), blocks, spec.batch],
    flops: convFlops(spec),
  };
}

/** Whether `depthwiseRows` can do a depthwise convolution: 3×3, stride 1 or 2, not dilated. */
export function slidesByRows({ kernel, strides: [down, right], dilations }: ConvSpec): boolean {
  return kernel.every((k) => k === 3) && down === right && down <= 2 && dilations.every((d) => d === 1);
}

/** `depthwise` for `slidesByRows` convolutions with a third of the loads and fewer invocations. Bindings as there. */
export function depthwiseRows(spec: ConvSpec): Dispatch {
  const stride = spec.strides[0] === 1 ? 1 : 2;
  const tiles =
    Math.ceil(spec.outWidth / PIXELS[stride]) * Math.ceil(spec.outHeight / ROWS) * blocksOf(spec.outChannels);
  const kernel = stride === 1 ? 'depthwise-rows' : 'depthwise-rows-stride2';
  return {
    ...depthwise(spec),
    kernel,
    source: specialize(kernel, { ROWS, PIXELS: PIXELS[stride], COLUMNS: stride * (PIXELS[stride] - 1) + 3 }),
    constants: { WORKGROUP: ROWS_WORKGROUP, ...convOverrides(spec) },
    workgroups: [Math.ceil(tiles / ROWS_WORKGROUP), spec.batch, 1],
  };
}
