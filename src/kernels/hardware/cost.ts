// How long a convolution takes, from its shape and an adapter's rates alone: no device is asked. The time of a launch is a sum,
//
//   launch + workgroups + the longer of work + waiting and memory
//
// of what each launch costs, what starting each workgroup costs, what the busiest core computes and fetches, what its invocations wait
// for loads of which each needs the one before, or what memory takes for all that is read and written. The constants were fitted to the
// launches of `RATES.server`; what differs between adapters is in their rates. How many loads are under way at once is the compiler's
// choice, by the registers that it gives an invocation: the model has what NVIDIA's does.
import { sizeOf } from '../../common/tensor.ts';
import { type ConvSpec, isPointwise } from '../conv/spec.ts';
import { type AdapterClass, type AdapterTraits, type Dispatch, MAX_WORKGROUPS } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';

/** What the model knows of an adapter. A core is what workgroups are bound to: a multiprocessor, a compute unit. */
export interface AdapterRates {
  readonly cores: number;
  /** Multiply-adds of all cores, each being two operations, in 10⁹ operations a second. */
  readonly gflops: number;
  /** What the cores' own caches deliver, all together, in 10⁹ bytes a second. */
  readonly cacheGbps: number;
  /** What memory delivers, in 10⁹ bytes a second. */
  readonly memoryGbps: number;
  readonly launchMicroseconds: number;
  /** To start one more workgroup, whichever core it goes to. */
  readonly workgroupNanoseconds: number;
  /** From asking for a vector, found in the cache that cores share, until it can be used. */
  readonly loadNanoseconds: number;
  /** Groups of `LANES` invocations that a core computes at once: its multiply-adds a cycle by `LANES`. */
  readonly groupsAtOnce: number;
  /** Invocations that a core has under way at most. */
  readonly residentInvocations: number;
  /** Registers of a core, of 32 bits, divided among its invocations. */
  readonly registers: number;
  /** Workgroup memory of a core, divided among its workgroups. */
  readonly workgroupBytes: number;
}

export const RATES: Readonly<Record<AdapterClass, AdapterRates>> = {
  /**
   * NVIDIA H200, Dawn on Vulkan, November 2026: cores, operations, memory and launches measured by themselves; caches (at most 33,500),
   * workgroups, loads and workgroup memory fitted to 2,612 launches of convolutions; registers and invocations from the CUDA C++
   * Programming Guide, compute capability 9.0.
   */
  server: {
    cores: 132,
    gflops: 57_500,
    cacheGbps: 28_900,
    memoryGbps: 3_870,
    launchMicroseconds: 1.98,
    workgroupNanoseconds: 0.42,
    loadNanoseconds: 213,
    groupsAtOnce: 4,
    residentInvocations: 2048,
    registers: 65_536,
    workgroupBytes: 49_152,
  },
  /**
   * NVIDIA GeForce RTX 3060: 28 multiprocessors of 128 multiply-adds at 1.78 GHz, 360 GB/s, from NVIDIA's data sheet and the CUDA C++
   * Programming Guide, compute capability 8.6. Caches and times are the server's, by the number of cores: nothing was measured.
   */
  desktop: {
    cores: 28,
    gflops: 12_740,
    cacheGbps: 6_100,
    memoryGbps: 360,
    launchMicroseconds: 3,
    workgroupNanoseconds: 2,
    loadNanoseconds: 213,
    groupsAtOnce: 4,
    residentInvocations: 1536,
    registers: 65_536,
    workgroupBytes: 49_152,
  },
  /**
   * AMD Radeon Vega 8 of a Ryzen 7 5700U: 8 compute units of 64 multiply-adds at 1.9 GHz, 128 bits of LPDDR4X-3733. A unit's 64 bytes
   * of cache a cycle, 40 waves of 64 invocations, 256 KiB of registers and 64 KiB of workgroup memory from AMD's GCN whitepaper. Times
   * are estimates: nothing was measured.
   */
  integrated: {
    cores: 8,
    gflops: 1_950,
    cacheGbps: 970,
    memoryGbps: 60,
    launchMicroseconds: 5,
    workgroupNanoseconds: 5,
    loadNanoseconds: 250,
    groupsAtOnce: 2,
    residentInvocations: 2560,
    registers: 65_536,
    workgroupBytes: 65_536,
  },
  /**
   * Arm Mali-G610 MP4 at 1 GHz: 4 cores of 64 multiply-adds, 64 bits of LPDDR4X-3733. 1,024 invocations of 32 registers a core
   * from Arm's Valhall documents. Caches, workgroup memory (which Mali keeps in the cache) and times are estimates: nothing was measured.
   */
  phone: {
    cores: 4,
    gflops: 512,
    cacheGbps: 256,
    memoryGbps: 30,
    launchMicroseconds: 20,
    workgroupNanoseconds: 20,
    loadNanoseconds: 300,
    groupsAtOnce: 2,
    residentInvocations: 1024,
    registers: 32_768,
    workgroupBytes: 32_768,
  },
};

/** What the model knows of an adapter with these traits. */
export function ratesOf({ class: name = 'integrated' }: AdapterTraits): AdapterRates {
  return RATES[name];
}

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

/** WebGPU's guaranteed maximum of invocations in a workgroup. */
export const MAX_INVOCATIONS = 256;
/** WebGPU's guaranteed maximum of workgroup memory, in bytes. */
export const MAX_WORKGROUP_BYTES = 16_384;

/** Invocations that run in step; a workgroup takes a whole number of such groups. */
export const LANES = 32;
export const VECTOR_BYTES = 16;
/** What a cache hands out at once, in bytes. */
export const LINE_BYTES = 128;

/** Multiply-adds of numbers that a tap of a block of four input channels takes for a pixel and four output channels. */
export const TAP_SLOTS = 16;
/** Multiply-adds that could run while an invocation fetches a vector that it uses once or twice: address, bounds, the load itself. */
export const FETCH_SLOTS = 3.8;
/** Multiply-adds that could run while an invocation finds out its place. */
export const START_SLOTS = 60;
/** Multiply-adds that could run while a vector of the output gets its bias and activation and is written. */
export const OUTPUT_SLOTS = 27;
/** Registers of an invocation besides sums and pixels. */
const OWN_REGISTERS = 20;

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
/** Waits of a workgroup until the sums of all its ways are to be had, in loads. */
export const JOIN_LOADS = 1.4;

/** Multiply-adds of a loop's body that caches of instructions hold; longer ones took up to 1.5 × as long as they should. */
const MAX_BODY_SLOTS = 2000;

/** What the model knows of a launch. */
interface Work {
  readonly workgroups: number;
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** What an invocation computes, in multiply-adds of numbers. */
  readonly slots: number;
  /** Lines that the caches hand out to `LANES` invocations. */
  readonly lines: number;
  /** Registers of an invocation. */
  readonly registers: number;
  /** Workgroup memory of a workgroup, in bytes. */
  readonly workgroupBytes: number;
  /** Loads of an invocation of which each waits for the one before. */
  readonly loads: number;
  /** What the launch reads and writes at least, in bytes. */
  readonly bytes: number;
}

/** Workgroups that a core has under way at once. */
function residentWorkgroups(work: Work, invocations: number, rates: AdapterRates): number {
  const byInvocations = rates.residentInvocations / invocations;
  const byRegisters = rates.registers / (work.registers * invocations);
  const byMemory = work.workgroupBytes > 0 ? rates.workgroupBytes / work.workgroupBytes : Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(Math.min(byInvocations, byRegisters, byMemory)));
}

/** Registers of an invocation of any convolution, roughly. */
const USUAL_REGISTERS = 64;

/** Whether all of these workgroups can be under way at once. */
export function hasRoomFor(
  workgroups: number,
  invocations: number,
  { cores, residentInvocations, registers }: AdapterRates,
): boolean {
  const resident = Math.min(residentInvocations, registers / USUAL_REGISTERS);
  return workgroups <= cores * Math.max(1, Math.floor(resident / invocations));
}

export function microseconds(work: Work, rates: AdapterRates): number {
  const groups = Math.ceil(work.invocations / LANES);
  // the launch ends with the core that has most workgroups
  const perCore = Math.ceil(work.workgroups / rates.cores);
  const slotsPerNanosecond = rates.gflops / 2 / rates.cores;
  // where the last groups are fewer than a core computes at once, a part of it idles
  const turns = Math.ceil((perCore * groups) / rates.groupsAtOnce);
  const arithmetic = (turns * rates.groupsAtOnce * LANES * work.slots) / slotsPerNanosecond;
  const cache = (perCore * groups * LINE_BYTES * work.lines) / (rates.cacheGbps / rates.cores);
  // arithmetic and fetches go on side by side
  const busy = Math.max(arithmetic, cache);
  // workgroups under way together wait together, and those for which there is no room after them
  const rounds = Math.ceil(perCore / residentWorkgroups(work, groups * LANES, rates));
  const waiting = rounds * work.loads * rates.loadNanoseconds;
  const memory = work.bytes / rates.memoryGbps;
  const started = work.workgroups * rates.workgroupNanoseconds;
  return rates.launchMicroseconds + (started + Math.max(busy + waiting, memory)) / 1e3;
}

/**
 * What a launch costs the CPU that encodes and submits it, in microseconds: beside the H200 of `RATES.server`, and likely no less beside
 * other adapters.
 */
export const CPU_MICROSECONDS = 4.6;

/** How many tiles the model leaves to be measured at most, and how much longer than the best they may take by it. */
const MAX_CANDIDATES = 2;
const CANDIDATE_FACTOR = 1.15;

/** Those that may be fastest, by the model, the most likely one first; of equals the earlier one. */
export function likeliest<Tile>(tiles: readonly Tile[], time: (tile: Tile) => number): Tile[] {
  const timed = tiles.map((tile) => ({ tile, time: time(tile) })).sort((a, b) => a.time - b.time);
  const most = (timed[0]?.time ?? 0) * CANDIDATE_FACTOR;
  return timed.flatMap(({ tile, time }, i) => (i < MAX_CANDIDATES && time <= most ? [tile] : []));
}

/** Those that need no more workgroups side by side than WebGPU guarantees; all where none does, whose grids are folded: see fold-grid.ts. */
export function launchable<Tile>(
  tiles: readonly Tile[],
  grid: (tile: Tile) => Dispatch['workgroups'],
): readonly Tile[] {
  const few = tiles.filter((tile) => grid(tile)[0] <= MAX_WORKGROUPS);
  return few.length > 0 ? few : tiles;
}

/** Input, weights and output once each, as float32. */
export function leastBytes({
  batch,
  inChannels,
  inHeight,
  inWidth,
  outChannels,
  outHeight,
  outWidth,
  ...spec
}: ConvSpec): number {
  const images = batch * (blocksOf(inChannels) * inHeight * inWidth + blocksOf(outChannels) * outHeight * outWidth);
  const weights = blocksOf(outChannels) * 4 * blocksOf(inChannels / spec.group) * spec.kernel[0] * spec.kernel[1];
  return (images + weights) * VECTOR_BYTES;
}

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

/** Waits of an invocation for what its taps need, in loads, where a step fetches so many vectors. */
function tapLoads(spec: ConvSpec, tile: SplitTile, vectors: number): number {
  const { steps } = stepsOf(spec, tile);
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

function invocationsOf({ lanes, slices, split }: SplitTile): number {
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
  const { taps } = stepsOf(spec, tile);
  // a column of inputs serves the taps of a column of the kernel for all pixels
  const rows = rowsOf(spec, pixels);
  const inputsPerTap = rows / kernel[0];
  const weightsPerTap = 4 * blocks;
  // neighbouring invocations read neighbouring vectors of the input
  const { lanes, ways } = neighboursOf(tile);
  const inputLines = Math.max(1, (lanes * ways * strides[1] * VECTOR_BYTES) / LINE_BYTES);
  // sums go to workgroup memory and come back
  const joinLines = split > 1 ? (2 * sums * LANES * VECTOR_BYTES) / LINE_BYTES : 0;
  return microseconds(
    {
      workgroups: sizeOf(splitGrid(spec, tile)),
      invocations,
      slots: (TAP_SLOTS * sums + FETCH_SLOTS * weightsPerTap) * taps + START_SLOTS + (OUTPUT_SLOTS * sums) / split,
      lines: (inputsPerTap * inputLines + weightsPerTap * weightLines(tile)) * taps + joinLines,
      registers: OWN_REGISTERS + 4 * (sums + rows),
      workgroupBytes: split > 1 ? splitBytes(tile) : 0,
      // invocations in step have each other's sums at once; outputs are written one after the other, each with a bias to load
      loads:
        tapLoads(spec, tile, (inputsPerTap + weightsPerTap) * tile.unroll) +
        (split > 1 && invocations > LANES ? JOIN_LOADS : 0) +
        Math.ceil(sums / split),
      bytes: leastBytes(spec),
    },
    rates,
  );
}

/** Workgroup memory for the sums of all ways, in bytes. */
export function splitBytes({ pixels, blocks, lanes, slices, split }: SplitTile): number {
  return VECTOR_BYTES * pixels * blocks * lanes * slices * split;
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
          if (lanes * slices * split > MAX_INVOCATIONS) continue;
          if (split > 1 && splitBytes(tile) > MAX_WORKGROUP_BYTES) continue;
          tiles.push(tile);
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
    const fits = tile.split === 1 || splitBytes(resized) <= MAX_WORKGROUP_BYTES;
    return Number.isInteger(resized.slices) && fits ? [resized] : [];
  });
}

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
