import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { type DepthwiseTile, depthwiseGrid } from './cost.ts';
import { type ConvSpec, convDispatch } from './spec.ts';

const WORKGROUP = 64;
/** Columns of one invocation of `depthwiseRows`, by stride. */
const PIXELS = { 1: 4, 2: 2 };
/** Rows of one invocation of `depthwiseRows`. */
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

function depthwiseWeightBytes({ outChannels, kernel }: ConvSpec): number {
  return blocksOf(outChannels) * kernel[0] * kernel[1] * 16;
}

/** One filter a channel: group = input channels = output channels. Bindings: input, weights, bias, residual, output. */
export function depthwise(spec: ConvSpec): Dispatch {
  return convDispatch('depthwise', spec, {
    overrides: { WORKGROUP },
    weightBytes: depthwiseWeightBytes(spec),
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / WORKGROUP), blocksOf(spec.outChannels), spec.batch],
  });
}

/** `depthwise` whose shape is compiled in, for adapters that wait for loads longer than they compute. Bindings as there. */
export function depthwiseColumns(spec: ConvSpec, tile: DepthwiseTile): Dispatch {
  const { rows: pixels, workgroup } = tile;
  const [[kernelHeight, kernelWidth], [stride], [dilation]] = [spec.kernel, spec.strides, spec.dilations];
  return convDispatch('depthwise-columns', spec, {
    overrides: {
      ...{ IN_BLOCKS: blocksOf(spec.inChannels), IN_H: spec.inHeight, IN_W: spec.inWidth },
      ...{ OUT_W: spec.outWidth, WORKGROUP: workgroup, INVOCATIONS: workgroup },
      ...{ PAD_TOP: spec.pads[0], PAD_LEFT: spec.pads[1], STRIDE_W: spec.strides[1], DILATION_W: spec.dilations[1] },
    },
    consts: {
      ...{ PIXELS: pixels, KERNEL_H: kernelHeight, KERNEL_W: kernelWidth, STRIDE_H: stride, DILATION_H: dilation },
      ROWS: (pixels - 1) * stride + (kernelHeight - 1) * dilation + 1,
    },
    weightBytes: depthwiseWeightBytes(spec),
    workgroups: depthwiseGrid(spec, tile),
  });
}

/** Whether `depthwiseRows` can do a depthwise convolution: 3×3, stride 1 or 2, not dilated. */
export function slidesByRows({ kernel, strides: [down, right], dilations }: ConvSpec): boolean {
  return kernel.every((k) => k === 3) && down === right && down <= 2 && dilations.every((d) => d === 1);
}

/** `depthwise` for `slidesByRows` convolutions with a third of the loads and fewer invocations. Bindings as there. */
export function depthwiseRows(spec: ConvSpec): Dispatch {
  const stride = spec.strides[0] === 1 ? 1 : 2;
  const pixels = PIXELS[stride];
  const tiles = Math.ceil(spec.outWidth / pixels) * Math.ceil(spec.outHeight / ROWS) * blocksOf(spec.outChannels);
  return convDispatch(stride === 1 ? 'depthwise-rows' : 'depthwise-rows-stride2', spec, {
    consts: { ROWS, PIXELS: pixels, COLUMNS: stride * (pixels - 1) + 3 },
    overrides: { WORKGROUP: ROWS_WORKGROUP },
    weightBytes: depthwiseWeightBytes(spec),
    workgroups: [Math.ceil(tiles / ROWS_WORKGROUP), spec.batch, 1],
  });
}
