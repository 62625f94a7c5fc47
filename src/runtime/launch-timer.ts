import type { GpuContext } from './gpu-context.ts';
import { GpuTimer } from './gpu-timer.ts';
import { Pace } from './poll-pacer.ts';

/** A kernel launch with all that it needs. */
export interface BoundLaunch {
  readonly label: string;
  readonly source: string;
  readonly overrides?: Readonly<Record<string, number>>;
  /** From binding 0 on. */
  readonly bindings: readonly GPUBufferBinding[];
  readonly workgroups: readonly [number, number, number];
}

/** Runs prepared launches, all of them `rounds` times over, and gives milliseconds. */
export type Stopwatch = (rounds?: number) => Promise<number>;

/**
 * Compiles launches to be timed as one, by the GPU's own clock where it has one.
 * @param staging at least 16 bytes, mappable; nothing else may use it meanwhile
 */
export async function prepareStopwatch(
  context: GpuContext,
  launches: readonly BoundLaunch[],
  staging: GPUBuffer,
): Promise<Stopwatch> {
  const { device } = context;
  const prepared = await Promise.all(
    launches.map(async ({ label, source, overrides = {}, bindings, workgroups }) => {
      const pipeline = await context.pipeline(label, source, overrides);
      const entries = bindings.map((resource, binding) => ({ binding, resource }));
      return {
        pipeline,
        workgroups,
        bindGroup: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }),
      };
    }),
  );
  const result = launches.at(-1)!.bindings.at(-1)!;
  const pace = new Pace();
  return async (rounds = 1) => {
    const timer = GpuTimer.create(context, { steps: [{ label: launches[0]!.label }] }, 'step');
    const encoder = device.createCommandEncoder();
    const { timestampWrites } = timer?.passes[0] ?? {};
    const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
    for (let round = 0; round < rounds; round++) {
      for (const { pipeline, bindGroup, workgroups } of prepared) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...workgroups);
      }
    }
    pass.end();
    timer?.resolve(encoder);
    const start = performance.now();
    try {
      // a wall clock would time the sleep, too
      await context.read(encoder, staging, [{ buffer: result.buffer, offset: 0, bytes: 16 }], timer ? pace : undefined);
      const wall = performance.now() - start;
      const [gpu] = timer ? await timer.read() : [wall];
      // a clock too coarse for the run says 0
      return gpu || wall;
    } finally {
      timer?.dispose();
    }
  };
}
