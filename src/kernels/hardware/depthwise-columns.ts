import { depthwiseWeightBytes } from '../conv/depthwise.ts';
import { type ConvSpec, convLaunch } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { type DepthwiseTile, depthwiseGrid } from './depthwise-cost.ts';
import { dispatch } from './dispatch.ts';

/** `depthwise` whose shape is compiled in, for adapters that wait for loads longer than they compute. Bindings as there. */
export function depthwiseColumns(spec: ConvSpec, tile: DepthwiseTile): Dispatch {
  const { rows: pixels, workgroup } = tile;
  const [[kernelHeight, kernelWidth], [stride], [dilation]] = [spec.kernel, spec.strides, spec.dilations];
  const launch = convLaunch(spec, {
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
  return dispatch('depthwise-columns', launch);
}
