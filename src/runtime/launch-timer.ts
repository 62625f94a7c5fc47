import type { GpuContext } from './gpu-context.ts';
import { GpuTimer } from './gpu-timer.ts';
import { bindLaunch, type Launchable } from './launch.ts';
import { PollPacer } from './poll-pacer.ts';

/** A launch with all that it binds, from binding 0 on; its result is the last. */
export interface BoundLaunch {
  readonly dispatch: Launchable;
  readonly bindings: readonly GPUBufferBinding[];
}

/** Runs prepared launches, all of them `rounds` times over, and gives milliseconds. */
export type LaunchTimer = (rounds?: number) => Promise<number>;

/**
 * Compiles launches to be timed as one, by the GPU's own clock where it has one.
 * @param staging at least 16 bytes, mappable; nothing else may use it meanwhile
 */
export async function prepareLaunchTimer(
  context: GpuContext,
  bound: readonly BoundLaunch[],
  staging: GPUBuffer,
): Promise<LaunchTimer> {
  const { device } = context;
  const launches = await Promise.all(bound.map(({ dispatch, bindings }) => bindLaunch(context, dispatch, bindings)));
  const { buffer } = bound.at(-1)!.bindings.at(-1)!;
  const label = bound[0]!.dispatch.kernel;
  const pacer = new PollPacer();
  return async (rounds = 1) => {
    const timed = { steps: [{ label, stage: label }] };
    const timer = await context.allocate('timing', () => GpuTimer.create(context, timed, 'step'));
    const encoder = device.createCommandEncoder();
    const { timestampWrites } = timer?.passes[0] ?? {};
    const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
    for (let round = 0; round < rounds; round++) for (const launch of launches) launch(pass);
    pass.end();
    timer?.resolve(encoder);
    const start = performance.now();
    try {
      // a wall clock would time the sleep, too
      const options = { pacer: timer ? pacer : undefined };
      await context.guarded('timing', () =>
        context.read(encoder, staging, [{ buffer, offset: 0, bytes: 16 }], options),
      );
      const wall = performance.now() - start;
      const [gpu] = timer ? await timer.read() : [wall];
      // a clock too coarse for the run says 0
      return gpu || wall;
    } finally {
      timer?.dispose();
    }
  };
}
