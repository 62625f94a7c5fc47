// How long a dense convolution takes whose taps are split over the workgroup, by the model of cost.ts, and the tiles to choose from.
import { sizeOf } from '../../common/tensor.ts';
import { type ConvSpec, isPointwise } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import {
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
  OWN_REGISTERS,
  START_SLOTS,
  TAP_SLOTS,
  VECTOR_BYTES,
} from './cost.ts';
import type { AdapterRates } from './rates.ts';

/** How a launch divides a convolution among invocations. */
export interface SplitTile {
  /** Pixels an invocation computes: below each other for kernels larger than 1×1, `lanes` apart for 1×1. */
  readonly pixels: number;
  /** Blocks of four output channels an invocation computes. */
  readonly blocks: number;
  /** Invocations side by side in a workgroup, of neighbouring pixels. */
  readonly lanes: number;
  /** Invocations of neighbouring groups of `blocks`. */
  readonly slices: number;
  /** Ways in which the taps are split over the workgroup. */
  readonly split: number;
  /**
   * Taps of one step. For kernels larger than 1×1: all of a block of four input channels, or one column of them. For 1×1: blocks that are
   * unrolled together.
   */
  readonly unroll: number;
}

/** Waits of a step for each tap after its first, in loads: most, but not all, of a step's loads are under way together. */
const NEXT_TAP_LOADS = 0.7;
/** Sums of an invocation for which compilers take few registers: more invocations are under way then, and fewer loads of each. */
const FEW_SUMS = 2;
/** Vectors that are under way at once for an invocation of few sums. */
const FEW_VECTORS = 5.7;
/** Sums besides which unsplit pointwise convolutions have too few registers to load a step ahead. */
const MANY_SUMS = 8;
/** By how much longer each step but the first waits then, for each of its pixels. */
const LATE_PIXEL = 0.18;
/** Multiply-adds of a loop's body that caches of instructions hold; longer ones took up to 1.5 × as long as they should. */
const MAX_BODY_SLOTS = 2000;

/** Inputs of a column that `pixels` below each other need; `pixels` for 1×1. */
function rowsOf({ kernel: [height], strides, dilations }: ConvSpec, pixels: number): number {
  return Math.min(pixels * height, (pixels - 1) * strides[0] + (height - 1) * dilations[0] + 1);
}

/** Steps of the invocation that has most, and how many taps an invocation takes part in on average. */
function stepsOf(spec: ConvSpec, { split, unroll }: SplitTile): { readonly steps: number; readonly taps: number } {
  const blocks = blocksOf(spec.inChannels);
  if (isPointwise(spec)) {
    // each way has as many blocks, some of them beyond the last
    const steps = Math.ceil(Math.ceil(blocks / split) / unroll);
    return { steps, taps: steps * unroll };
  }
  const taps = blocks * spec.kernel[0] * spec.kernel[1];
  return { steps: Math.ceil(taps / unroll / split), taps: taps / split };
}

/** Waits of an invocation for what its taps need, in loads, in so many steps that fetch so many vectors each. */
function tapLoads(spec: ConvSpec, tile: SplitTile, steps: number, vectors: number): number {
  const sums = tile.pixels * tile.blocks;
  if (sums <= FEW_SUMS) {
    // cores have room for few workgroups: where those have few invocations, each gets twice the registers
    const atOnce = invocationsOf(tile) > LANES ? FEW_VECTORS : 2 * FEW_VECTORS;
    return steps * Math.max(1, vectors / atOnce);
  }
  const isShort = isPointwise(spec) && tile.split === 1 && sums >= MANY_SUMS;
  const late = isShort ? LATE_PIXEL * tile.pixels * (steps - 1) : 0;
  return (steps + late) * (1 + NEXT_TAP_LOADS * (tile.unroll - 1));
}

/** Invocations of a workgroup. */
export function invocationsOf({ lanes, slices, split }: SplitTile): number {
  return lanes * slices * split;
}

/** Of how many lanes, slices and ways `LANES` neighbouring invocations are. */
function neighboursOf(tile: SplitTile) {
  const lanes = Math.min(tile.lanes, LANES);
  const slices = Math.min(tile.slices, LANES / lanes);
  return { lanes, slices, ways: LANES / (lanes * slices) };
}

/** Lines of which `LANES` invocations fetch a vector of weights each: one has the weights of two blocks. */
export function weightLines(tile: SplitTile): number {
  const { slices, ways } = neighboursOf(tile);
  return ways * Math.ceil((slices * tile.blocks) / 2);
}

/** Workgroups of `conv2d-split`: of neighbouring pixels, of blocks of channels, of images. */
export function splitGrid(spec: ConvSpec, { pixels, blocks, lanes, slices }: SplitTile): Dispatch['workgroups'] {
  const { batch, outChannels, outHeight, outWidth } = spec;
  const tiles = isPointwise(spec)
    ? Math.ceil((outHeight * outWidth) / pixels)
    : Math.ceil(outHeight / pixels) * outWidth;
  return [Math.ceil(tiles / lanes), Math.ceil(blocksOf(outChannels) / (blocks * slices)), batch];
}

/** What a launch of `conv2d-split` takes, in microseconds. */
export function splitMicroseconds(spec: ConvSpec, tile: SplitTile, rates: AdapterRates): number {
  const { pixels, blocks, split } = tile;
  const { kernel, strides } = spec;
  const invocations = invocationsOf(tile);
  const sums = pixels * blocks;
  const { steps, taps } = stepsOf(spec, tile);
  // a column of inputs serves the taps of a column of the kernel for all pixels
  const rows = rowsOf(spec, pixels);
  const inputsPerTap = rows / kernel[0];
  const weightsPerTap = 4 * blocks;
  // neighbouring invocations read neighbouring vectors of the input
  const { lanes, ways } = neighboursOf(tile);
  const inputLines = Math.max(1, (lanes * ways * strides[1] * VECTOR_BYTES) / LINE_BYTES);
  return microseconds(
    {
      workgroups: sizeOf(splitGrid(spec, tile)),
      invocations,
      slots: (TAP_SLOTS * sums + FETCH_SLOTS * weightsPerTap) * taps + START_SLOTS + (OUTPUT_SLOTS * sums) / split,
      lines: (inputsPerTap * inputLines + weightsPerTap * weightLines(tile)) * taps + joinLines(tile),
      registers: OWN_REGISTERS + 4 * (sums + rows),
      workgroupBytes: splitBytes(tile),
      // invocations in step have each other's sums at once; outputs are written one after the other, each with a bias to load
      loads:
        tapLoads(spec, tile, steps, (inputsPerTap + weightsPerTap) * tile.unroll) +
        (split > 1 && invocations > LANES ? JOIN_LOADS : 0) +
        Math.ceil(sums / split),
      bytes: leastBytes(spec),
    },
    rates,
  );
}

/** Workgroup memory for the sums of all ways, in bytes; none where there is one way. */
export function splitBytes(tile: SplitTile): number {
  return tile.split > 1 ? VECTOR_BYTES * tile.pixels * tile.blocks * invocationsOf(tile) : 0;
}

/** Lines of which `LANES` invocations put their sums into workgroup memory and fetch them from there. */
export function joinLines({ pixels, blocks, split }: SplitTile): number {
  return split > 1 ? (2 * pixels * blocks * LANES * VECTOR_BYTES) / LINE_BYTES : 0;
}

/** Shapes of a workgroup without its split: `lanes`, `slices`; and the splits that are tried with each. */
const WORKGROUPS = {
  pointwise: [
    { lanes: 16, slices: 2, splits: [1, 3] },
    { lanes: 32, slices: 1, splits: [1, 3] },
    { lanes: 16, slices: 1, splits: [2, 4, 6, 8, 12, 16] },
  ],
  larger: [
    { lanes: 16, slices: 2, splits: [1, 3] },
    { lanes: 32, slices: 1, splits: [1] },
    { lanes: 16, slices: 1, splits: [2, 3, 4, 6, 8, 12, 16] },
  ],
} as const;
/** Pixels worth trying. One leaves kernels larger than 1×1 with too few sums a load; 1×1 share no inputs, so that many only cost. */
const PIXELS = { pointwise: [1, 2, 4], larger: [2, 4, 8] } as const;
/** Vectors of sums that an invocation keeps at most: twice as many leave a core room for too few invocations. */
const MAX_SUMS = 8;
/** Inputs of a column that an invocation keeps at most, besides its sums. */
const MAX_ROWS = 10;
/** Blocks beyond the last that unrolling may add, as a part of those there are. */
const MAX_PADDING = 0.1;

/** Taps of one step: of those that fit, the ones that make the shortest chain of loads; undefined where the split leaves ways idle. */
function unrollFor(spec: ConvSpec, sums: number, split: number): number | undefined {
  const [height, width] = spec.kernel;
  const blocks = blocksOf(spec.inChannels);
  if (isPointwise(spec)) {
    if (split > blocks) return undefined;
    const own = Math.ceil(blocks / split);
    return [4, 2].find((unroll) => Math.ceil(own / unroll) * unroll <= own * (1 + MAX_PADDING)) ?? 1;
  }
  if (split > blocks * width) return undefined;
  const fits = height * width * TAP_SLOTS * sums <= MAX_BODY_SLOTS;
  const balanced = Math.ceil(blocks / split) * width <= Math.ceil((blocks * width) / split);
  return fits && balanced ? height * width : height;
}

/** The tiles worth comparing for a convolution: few, within what every WebGPU device guarantees, never none. */
export function splitTiles(spec: ConvSpec): readonly SplitTile[] {
  const outBlocks = blocksOf(spec.outChannels);
  const size = isPointwise(spec) ? 'pointwise' : 'larger';
  const tiles: SplitTile[] = [];
  for (const blocks of outBlocks === 1 ? [1] : [1, 2]) {
    for (const pixels of PIXELS[size]) {
      const isLeast = pixels === PIXELS[size][0];
      if (!isLeast && (pixels * blocks > MAX_SUMS || rowsOf(spec, pixels) > MAX_ROWS)) continue;
      for (const { lanes, slices, splits } of WORKGROUPS[size]) {
        if (slices > 1 && slices * blocks > outBlocks) continue;
        for (const split of splits) {
          const unroll = unrollFor(spec, pixels * blocks, split);
          if (unroll === undefined) continue;
          const tile = { pixels, blocks, lanes, slices, split, unroll };
          if (invocationsOf(tile) <= MAX_INVOCATIONS && splitBytes(tile) <= MAX_WORKGROUP_BYTES) tiles.push(tile);
        }
      }
    }
  }
  return launchable(tiles, (tile) => splitGrid(spec, tile));
}

/** Tiles that may be fastest on an adapter, the model's choice first. */
export function likelySplitTiles(spec: ConvSpec, rates: AdapterRates, tiles = splitTiles(spec)): SplitTile[] {
  return likeliest(tiles, (tile) => splitMicroseconds(spec, tile, rates));
}

/** Tiles with workgroups of so many invocations that give the bits that a tile gives: whose ways have the same taps. */
export function resizedTiles(tile: SplitTile, invocations: number): SplitTile[] {
  return [8, 16, 32, 64, 128].flatMap((lanes) => {
    const resized = { ...tile, lanes, slices: invocations / (lanes * tile.split) };
    return Number.isInteger(resized.slices) && splitBytes(resized) <= MAX_WORKGROUP_BYTES ? [resized] : [];
  });
}
