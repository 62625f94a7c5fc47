import type { AdapterClass, AdapterTraits } from '../dispatch.ts';

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
