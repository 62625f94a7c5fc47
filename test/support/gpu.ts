import { afterAll } from 'vitest';
import { nodePlatform } from '../../src/node/platform.ts';
import { GpuContext } from '../../src/runtime/gpu-context.ts';

/** Set for adapters on which the longest tests take fewer cases. */
export const slowAdapter = process.env.SCRFD_SLOW_ADAPTER === '1';

let shared: Promise<GpuContext> | undefined;

/** The test process's device; closed when the file's tests are done. */
export function openGpu(): Promise<GpuContext> {
  if (!shared) {
    shared = GpuContext.open(nodePlatform, undefined);
    afterAll(async () => {
      (await shared)?.dispose();
      shared = undefined;
    });
  }
  return shared;
}

/** NC4HW4 → NCHW on the CPU; checks that the lanes beyond the last channel hold finite numbers. */
export function unpackOnCpu(
  packed: Float32Array,
  [batch, channels, height, width]: readonly [number, number, number, number],
): Float32Array {
  const blocks = Math.ceil(channels / 4);
  const plane = height * width;
  const values = new Float32Array(batch * channels * plane);
  for (let i = 0; i < batch * blocks * plane * 4; i++) {
    const lane = i % 4;
    const position = Math.floor(i / 4) % plane;
    const block = Math.floor(i / 4 / plane) % blocks;
    const n = Math.floor(i / 4 / plane / blocks);
    const channel = block * 4 + lane;
    if (channel < channels) values[(n * channels + channel) * plane + position] = packed[i]!;
    else if (!Number.isFinite(packed[i]!)) throw new Error(`padding lane ${lane} of block ${block} holds ${packed[i]}`);
  }
  return values;
}
