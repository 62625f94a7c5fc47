import { activationParams } from '../activation.ts';
import { packDepthwiseWeights } from '../conv/depthwise.ts';
import { packConvWeights, weightBytes } from '../conv/octets.ts';
import { convBindings, convFlops, convLaunch, packChannels } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { VECTOR_BYTES } from './cost.ts';
import { dispatch } from './dispatch.ts';
import { type SeparableSpec, separableBytes, separableGrid } from './separable-cost.ts';
import type { SplitTile } from './split-cost.ts';

/** Weights for `separable`: those of `depthwise`, then those of `conv2dSplit`. */
export function packSeparableWeights(
  { depthwise, pointwise }: SeparableSpec,
  depthwiseWeights: Float32Array,
  pointwiseWeights: Float32Array,
): Float32Array<ArrayBuffer> {
  const { inChannels, outChannels, kernel } = pointwise;
  return concatenated(
    packDepthwiseWeights(depthwiseWeights, inChannels, depthwise.kernel),
    packConvWeights(pointwiseWeights, outChannels, inChannels, kernel),
  );
}

/** Biases for `separable`. */
export function packSeparableBiases(
  { depthwise, pointwise }: SeparableSpec,
  depthwiseBias: ArrayLike<number> | undefined,
  pointwiseBias: ArrayLike<number> | undefined,
): Float32Array<ArrayBuffer> {
  return concatenated(
    packChannels(depthwiseBias, depthwise.outChannels),
    packChannels(pointwiseBias, pointwise.outChannels),
  );
}

function concatenated(first: Float32Array, second: Float32Array): Float32Array<ArrayBuffer> {
  const both = new Float32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

const finite = (bound: number) => (Number.isFinite(bound) ? bound : 0);

/**
 * A depthwise convolution with any activation but the logistic function and the pointwise one behind it in one launch, for adapters to
 * which launches are dear. Bindings: input, weights, bias, residual, output.
 */
export function separable(spec: SeparableSpec, tile: SplitTile): Dispatch {
  const { depthwise, pointwise } = spec;
  const { pixels, blocks, lanes, slices, split } = tile;
  const inBlocks = blocksOf(pointwise.inChannels);
  const [slope, low, high] = activationParams(depthwise.activation).floats;
  const launch = convLaunch(pointwise, {
    overrides: {
      ...{ IN_BLOCKS: inBlocks, IN_H: depthwise.inHeight, IN_W: depthwise.inWidth },
      ...{ OUT_BLOCKS: blocksOf(pointwise.outChannels), OUT_H: pointwise.outHeight, OUT_W: pointwise.outWidth },
      ...{ STRIDE_H: depthwise.strides[0], STRIDE_W: depthwise.strides[1] },
      ...{ PAD_TOP: depthwise.pads[0], PAD_LEFT: depthwise.pads[1] },
      ...{ DILATION_H: depthwise.dilations[0], DILATION_W: depthwise.dilations[1] },
      ...{ SLOPE: slope, LOW: finite(low), HIGH: finite(high) },
      ...{ HAS_LOW: Number(Number.isFinite(low)), HAS_HIGH: Number(Number.isFinite(high)) },
      ...{ LANES: lanes, SLICES: slices, SPLIT: split, WORKERS: lanes * slices, INVOCATIONS: lanes * slices * split },
      ...{
        SHARED_VECTORS: separableBytes(spec, tile) / VECTOR_BYTES,
        SHARE: Math.ceil(inBlocks / split),
      },
    },
    consts: {
      ...{ PIXELS: pixels, BLOCKS: blocks, SUMS: pixels * blocks },
      ...{ KERNEL_H: depthwise.kernel[0], KERNEL_W: depthwise.kernel[1] },
    },
    weightBytes: inBlocks * depthwise.kernel[0] * depthwise.kernel[1] * VECTOR_BYTES + weightBytes(pointwise),
    workgroups: separableGrid(spec, tile),
  });
  const [, weights, bias, residual, output] = launch.bindingBytes as [number, number, number, number, number];
  return dispatch('separable-split', {
    ...launch,
    bindingBytes: [convBindings(depthwise, 0)[0]!, weights, bias + inBlocks * VECTOR_BYTES, residual, output],
    flops: convFlops(depthwise) + convFlops(pointwise),
  });
}
