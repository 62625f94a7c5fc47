// How long a depthwise convolution and the pointwise one behind it take in one launch, by the model of cost.ts.
import { sizeOf } from '../../common/tensor.ts';
import type { ConvSpec } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import {
  CPU_MICROSECONDS,
  FETCH_SLOTS,
  JOIN_LOADS,
  LANES,
  LINE_BYTES,
  launchable,
  leastBytes,
  likeliest,
  MAX_INVOCATIONS,
  MAX_WORKGROUP_BYTES,
  microseconds,
  OUTPUT_SLOTS,
  START_SLOTS,
  TAP_SLOTS,
  VECTOR_BYTES,
} from './cost.ts';
import { type DepthwiseTile, depthwiseMicroseconds, likelyDepthwiseTiles } from './depthwise-cost.ts';
import type { AdapterRates } from './rates.ts';
import {
  invocationsOf,
  joinLines,
  likelySplitTiles,
  resizedTiles,
  type SplitTile,
  splitBytes,
  splitGrid,
  splitMicroseconds,
  splitTiles,
  weightLines,
} from './split-cost.ts';

/** A depthwise convolution and the pointwise one that alone reads it. */
export interface SeparableSpec {
  readonly depthwise: ConvSpec;
  readonly pointwise: ConvSpec;
}

/** Waits of a vector of the depthwise convolution, in loads: most of its taps are under way together. */
const DEPTHWISE_LOADS = 2.1;
/** Waits for the weights of a block of the pointwise convolution, in loads: they are fetched while the block before is computed. */
const BLOCK_LOADS = 0.7;
/**
 * Multiply-adds that could run while a tap of the depthwise convolution gets its place, its bounds and its weight, and is added; or while
 * a vector of it gets its place and its activation.
 */
const DEPTHWISE_TAP_SLOTS = 21.5;
/** Registers of an invocation besides its sums: of the taps of the depthwise convolution and their weights. */
const SEPARABLE_REGISTERS = 80;

/** Workgroup memory for what lies between the two convolutions, and then for the sums of all ways, in bytes. */
export function separableBytes({ pointwise }: SeparableSpec, tile: SplitTile): number {
  const between = blocksOf(pointwise.inChannels) * tile.lanes * tile.pixels * VECTOR_BYTES;
  return Math.max(between, splitBytes(tile));
}

/** Workgroups of `separable-split`. */
export function separableGrid({ pointwise }: SeparableSpec, tile: SplitTile): Dispatch['workgroups'] {
  return splitGrid(pointwise, tile);
}

/** What a launch of `separable-split` takes, in microseconds. */
export function separableMicroseconds(spec: SeparableSpec, tile: SplitTile, rates: AdapterRates): number {
  const { pixels, blocks, lanes, split } = tile;
  const { depthwise, pointwise } = spec;
  const invocations = invocationsOf(tile);
  const inBlocks = blocksOf(pointwise.inChannels);
  const sums = pixels * blocks;
  // vectors of the depthwise convolution that an invocation computes, on average
  const each = (inBlocks * lanes * pixels) / invocations;
  const taps = depthwise.kernel[0] * depthwise.kernel[1];
  const own = Math.ceil(inBlocks / split);
  // one vector for all pixels
  const depthwiseWeightLines = LANES / Math.min(lanes * pixels, LANES);
  const inputLines = (LANES * VECTOR_BYTES * depthwise.strides[1]) / LINE_BYTES;
  const sharedLines = (LANES * VECTOR_BYTES) / LINE_BYTES;
  return microseconds(
    {
      workgroups: sizeOf(separableGrid(spec, tile)),
      invocations,
      slots:
        START_SLOTS +
        (taps + 1) * DEPTHWISE_TAP_SLOTS * each +
        (TAP_SLOTS * sums + FETCH_SLOTS * 4 * blocks) * own +
        (OUTPUT_SLOTS * sums) / split,
      lines:
        taps * (inputLines + depthwiseWeightLines) * each +
        (pixels * sharedLines + 4 * blocks * weightLines(tile)) * own +
        joinLines(tile),
      registers: SEPARABLE_REGISTERS + 4 * sums,
      workgroupBytes: separableBytes(spec, tile),
      loads: Math.max(1, each) * DEPTHWISE_LOADS + own * BLOCK_LOADS + (split > 1 ? JOIN_LOADS : 1),
      bytes: leastBytes(depthwise) / 2 + leastBytes(pointwise) / 2,
    },
    rates,
  );
}

/** Tiles worth trying: pixels of an invocation, for one block of channels; lanes, slices and split of a workgroup. */
const TILES = { pixels: [1, 2, 4], lanes: [4, 8, 16, 32], slices: [1, 4, 8, 16], split: [1, 2, 4, 8] };

/** The tiles worth comparing, within what every WebGPU device guarantees; none where no pixel's channels fit in a workgroup's memory. */
export function separableTiles(spec: SeparableSpec): readonly SplitTile[] {
  const inBlocks = blocksOf(spec.pointwise.inChannels);
  const outBlocks = blocksOf(spec.pointwise.outChannels);
  const tiles: SplitTile[] = [];
  for (const pixels of TILES.pixels) {
    for (const lanes of TILES.lanes) {
      for (const slices of TILES.slices.filter((each) => each <= outBlocks)) {
        for (const split of TILES.split.filter((each) => each <= inBlocks)) {
          const tile = { pixels, blocks: 1, lanes, slices, split, unroll: 1 };
          const invocations = invocationsOf(tile);
          const fits = invocations <= MAX_INVOCATIONS && separableBytes(spec, tile) <= MAX_WORKGROUP_BYTES;
          if (invocations >= LANES && fits) tiles.push(tile);
        }
      }
    }
  }
  return launchable(tiles, (tile) => separableGrid(spec, tile));
}

/** The tile that the model chooses, if there is one. */
export function likelySeparableTile(
  spec: SeparableSpec,
  rates: AdapterRates,
  tiles = separableTiles(spec),
): SplitTile | undefined {
  return likeliest(tiles, (tile) => separableMicroseconds(spec, tile, rates))[0];
}

/** Tiles with workgroups of so many invocations that give the bits that a tile gives. */
export function resizedSeparableTiles(spec: SeparableSpec, tile: SplitTile, invocations: number): SplitTile[] {
  return resizedTiles(tile, invocations).filter((each) => separableBytes(spec, each) <= MAX_WORKGROUP_BYTES);
}

/** Tiles of the two convolutions in a launch each. */
export interface ApartTiles {
  readonly depthwise: DepthwiseTile;
  readonly pointwise: SplitTile;
}

/**
 * The tiles of two launches that give the bits that one gives, where they take less time, by the model: for a batch, for which one launch
 * computes what lies between too often. Undefined where one launch is better.
 */
export function fasterApart(spec: SeparableSpec, tile: SplitTile, rates: AdapterRates): ApartTiles | undefined {
  const share = Math.ceil(blocksOf(spec.pointwise.inChannels) / tile.split);
  const unroll = [4, 2, 1].find((count) => share % count === 0)!;
  // those whose ways have the same blocks
  const tiles = splitTiles(spec.pointwise).flatMap((each) => (each.split === tile.split ? [{ ...each, unroll }] : []));
  const [pointwise] = likelySplitTiles(spec.pointwise, rates, tiles);
  const [depthwise] = likelyDepthwiseTiles(spec.depthwise, rates);
  if (!pointwise || !depthwise) return undefined;
  const apart =
    depthwiseMicroseconds(spec.depthwise, depthwise, rates) + splitMicroseconds(spec.pointwise, pointwise, rates);
  return apart + CPU_MICROSECONDS < separableMicroseconds(spec, tile, rates) ? { depthwise, pointwise } : undefined;
}
