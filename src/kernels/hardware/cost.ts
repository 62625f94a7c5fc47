// How long a launch takes, from what it computes and fetches and an adapter's rates alone: no device is asked. What that is of a
// convolution and a tile stands in the other files named cost. The time of a launch is a sum,
//
//   launch + workgroups + the longer of work + waiting and memory
//
// of what each launch costs, what starting each workgroup costs, what the busiest core computes and fetches, what its invocations wait
// for loads of which each needs the one before, or what memory takes for all that is read and written. The constants were fitted to the
// launches of `RATES.server`; what differs between adapters is in their rates. How many loads are under way at once is the compiler's
// choice, by the registers that it gives an invocation: the model has what NVIDIA's does.
import type { ConvSpec } from '../conv/spec.ts';
import { type Dispatch, MAX_WORKGROUPS } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import type { AdapterRates } from './rates.ts';

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
export const OWN_REGISTERS = 20;

/** Waits of a workgroup until the sums of all its ways are to be had, in loads. */
export const JOIN_LOADS = 1.4;

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
