import { weightBytes } from '../conv/octets.ts';
import { type ConvSpec, convLaunch, isPointwise } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { VECTOR_BYTES } from './cost.ts';
import { dispatch } from './dispatch.ts';
import { type SplitTile, splitBytes, splitGrid } from './split-cost.ts';

/**
 * Dense convolution whose taps are split over the workgroup, which adds the parts in a fixed order: for adapters with more
 * invocations than a layer has pixels. Its shape is compiled in. Weights as `packConvWeights` packs them. Bindings: input,
 * weights, bias, residual, output.
 */
export function conv2dSplit(spec: ConvSpec, tile: SplitTile): Dispatch {
  const { pixels, blocks, lanes, slices, split } = tile;
  const inBlocks = blocksOf(spec.inChannels);
  const [kernelHeight, kernelWidth] = spec.kernel;
  const workers = lanes * slices;
  const common = {
    ...{ IN_BLOCKS: inBlocks, IN_H: spec.inHeight, IN_W: spec.inWidth },
    ...{ OUT_BLOCKS: blocksOf(spec.outChannels), OUT_W: spec.outWidth },
    ...{ STRIDE_W: spec.strides[1], LANES: lanes, SLICES: slices, SPLIT: split, WORKERS: workers },
    ...{ INVOCATIONS: workers * split, SHARED_VECTORS: Math.max(1, splitBytes(tile) / VECTOR_BYTES) },
  };
  const consts = { PIXELS: pixels, BLOCKS: blocks, SUMS: pixels * blocks };
  const grid = { weightBytes: weightBytes(spec), workgroups: splitGrid(spec, tile) };
  if (isPointwise(spec)) {
    const share = Math.ceil(inBlocks / split / tile.unroll) * tile.unroll;
    const launch = convLaunch(spec, {
      ...grid,
      overrides: { ...common, STRIDE_H: spec.strides[0], OUT_H: spec.outHeight, SHARE: share },
      consts: { ...consts, UNROLL: tile.unroll },
    });
    return dispatch('pointwise-split', launch);
  }
  const [stride, dilation] = [spec.strides[0], spec.dilations[0]];
  const launch = convLaunch(spec, {
    ...grid,
    overrides: { ...common, PAD_TOP: spec.pads[0], PAD_LEFT: spec.pads[1], DILATION_W: spec.dilations[1] },
    consts: {
      ...consts,
      ...{ KERNEL_H: kernelHeight, KERNEL_W: kernelWidth, STRIDE_H: stride, DILATION_H: dilation },
      ROWS: (pixels - 1) * stride + (kernelHeight - 1) * dilation + 1,
      COLUMNS: tile.unroll === kernelHeight ? 1 : kernelWidth,
    },
  });
  return dispatch('conv2d-split', launch);
}
