// How long a depthwise convolution takes, by the model of cost.ts, and the tiles to choose from.
import { sizeOf } from '../../common/tensor.ts';
import type { ConvSpec } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import {
  FETCH_SLOTS,
  LANES,
  LINE_BYTES,
  launchable,
  leastBytes,
  likeliest,
  microseconds,
  OUTPUT_SLOTS,
  OWN_REGISTERS,
  START_SLOTS,
  VECTOR_BYTES,
} from './cost.ts';
import type { AdapterRates } from './rates.ts';

/** How a launch divides a depthwise convolution among invocations. */
export interface DepthwiseTile {
  /** Outputs below each other that an invocation computes. */
  readonly rows: number;
  /** Invocations of a workgroup, of neighbouring columns. */
  readonly workgroup: number;
}

/** The tiles worth comparing for a depthwise convolution. */
export function depthwiseTiles(): DepthwiseTile[] {
  return [1, 2, 4, 8].flatMap((rows) => [32, 64, 128].map((workgroup) => ({ rows, workgroup })));
}

/** Workgroups of `depthwise-columns`: of neighbouring columns, of blocks of channels, of images. */
export function depthwiseGrid(spec: ConvSpec, { rows, workgroup }: DepthwiseTile): Dispatch['workgroups'] {
  const columns = Math.ceil(spec.outHeight / rows) * spec.outWidth;
  return [Math.ceil(columns / workgroup), blocksOf(spec.outChannels), spec.batch];
}

/** What a launch of a depthwise convolution takes that computes `rows` outputs from columns of inputs, in microseconds. */
export function depthwiseMicroseconds(spec: ConvSpec, { rows, workgroup }: DepthwiseTile, rates: AdapterRates): number {
  const { kernel, strides } = spec;
  const column = (rows - 1) * strides[0] + kernel[0];
  const inputs = column * kernel[1];
  const weights = kernel[0] * kernel[1];
  const inputLines = (LANES * VECTOR_BYTES * strides[1]) / LINE_BYTES;
  return microseconds(
    {
      workgroups: sizeOf(depthwiseGrid(spec, { rows, workgroup })),
      invocations: workgroup,
      slots: (4 * weights + OUTPUT_SLOTS) * rows + FETCH_SLOTS * (inputs + weights) + START_SLOTS,
      lines: inputs * inputLines + weights,
      registers: OWN_REGISTERS + 4 * (rows + column),
      workgroupBytes: 0,
      // one column after the other, then one output after the other
      loads: kernel[1] + rows,
      bytes: leastBytes(spec),
    },
    rates,
  );
}

/** Tiles that may be fastest on an adapter, the model's choice first. */
export function likelyDepthwiseTiles(spec: ConvSpec, rates: AdapterRates): DepthwiseTile[] {
  const tiles = launchable(depthwiseTiles(), (tile) => depthwiseGrid(spec, tile));
  return likeliest(tiles, (tile) => depthwiseMicroseconds(spec, tile, rates));
}
