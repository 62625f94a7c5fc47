import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { weightBytes } from './conv2d-direct.ts';
import { MAX_WORKGROUP_BYTES, type SplitTile } from './cost.ts';
import { type ConvSpec, convDispatch } from './spec.ts';

/** Whether a convolution has nothing but the pixels themselves to add up. */
export function isPointwise({ kernel, pads }: ConvSpec): boolean {
  return kernel.every((side) => side === 1) && pads.every((pad) => pad === 0);
}

/** Parts of sums that go through the workgroup's memory at once: as many as fit in it. */
function sumsAtOnce({ pixels, blocks, lanes, slices, split }: SplitTile): number {
  let sums = pixels * blocks;
  while (sums > 1 && sums * lanes * slices * split * 16 > MAX_WORKGROUP_BYTES) sums /= 2;
  return sums;
}

/**
 * Dense convolution whose taps are split over the workgroup, which adds the parts in a fixed order: for adapters with more
 * invocations than a layer has pixels. Its shape is compiled in. Weights as `packConvWeights` packs them. Bindings: input,
 * weights, bias, residual, output.
 */
export function conv2dSplit(spec: ConvSpec, tile: SplitTile): Dispatch {
  const { pixels, blocks, lanes, slices, split } = tile;
  const inBlocks = blocksOf(spec.inChannels);
  const outBlocks = blocksOf(spec.outChannels);
  const [kernelHeight, kernelWidth] = spec.kernel;
  const units = pixels * blocks;
  const sums = sumsAtOnce(tile);
  const workers = lanes * slices;
  const pointwise = isPointwise(spec);
  const tiles = pointwise
    ? Math.ceil((spec.outWidth * spec.outHeight) / pixels)
    : spec.outWidth * Math.ceil(spec.outHeight / pixels);
  const common = {
    ...{ IN_BLOCKS: inBlocks, IN_H: spec.inHeight, IN_W: spec.inWidth, OUT_BLOCKS: outBlocks, OUT_W: spec.outWidth },
    ...{ STRIDE_W: spec.strides[1], LANES: lanes, SLICES: slices, SPLIT: split, WORKERS: workers },
    PARTS: split > 1 ? sums * workers * split : 1,
  };
  const consts = { PIXELS: pixels, BLOCKS: blocks, UNITS: units, SUMS: sums, ROUNDS: units / sums };
  const launch = {
    weightBytes: weightBytes(spec),
    workgroups: [Math.ceil(tiles / lanes), Math.ceil(outBlocks / (blocks * slices)), spec.batch],
  } as const;
  if (pointwise) {
    const share = Math.ceil(inBlocks / split / tile.unroll) * tile.unroll;
    return convDispatch('pointwise-split', spec, {
      ...launch,
      overrides: { ...common, STRIDE_H: spec.strides[0], OUT_H: spec.outHeight, SHARE: share },
      consts: { ...consts, UNROLL: tile.unroll },
    });
  }
  const [stride, dilation] = [spec.strides[0], spec.dilations[0]];
  return convDispatch('conv2d-split', spec, {
    ...launch,
    overrides: { ...common, PAD_TOP: spec.pads[0], PAD_LEFT: spec.pads[1], DILATION_W: spec.dilations[1] },
    consts: {
      ...consts,
      ...{ KERNEL_H: kernelHeight, KERNEL_W: kernelWidth, STRIDE_H: stride, DILATION_H: dilation },
      ROWS: (pixels - 1) * stride + (kernelHeight - 1) * dilation + 1,
      COLUMNS: tile.unroll === kernelHeight ? 1 : kernelWidth,
    },
  });
}
