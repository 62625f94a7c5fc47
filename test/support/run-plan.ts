import { sizeOf } from '../../src/common/tensor.ts';
import type { NetworkPlan } from '../../src/graph/plan.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { Executor } from '../../src/runtime/executor.ts';
import type { GpuContext } from '../../src/runtime/gpu-context.ts';
import { BufferUsage } from '../../src/runtime/gpu-flags.ts';

/** Outputs of a plan for any adapter, run on this one as a detector runs it. */
export async function runPlan(context: GpuContext, plan: NetworkPlan, input: Float32Array<ArrayBuffer>) {
  const constants = new ConstantStore(context);
  const executor = await Executor.create(context, constants, plan);
  const parts = plan.outputs.map(({ dims, buffer }) => ({
    buffer: executor.buffer(buffer),
    offset: 0,
    bytes: sizeOf(dims) * 4,
  }));
  const size = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const staging = context.device.createBuffer({ size, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
  try {
    return await context.guarded('a plan for hardware', async () => {
      context.device.queue.writeBuffer(executor.buffer(plan.inputs[0]!.buffer), 0, input);
      const encoder = context.device.createCommandEncoder();
      const before = executor.commands();
      return (await context.read(encoder, staging, parts, { before })).map((bytes) => new Float32Array(bytes));
    });
  } finally {
    staging.destroy();
    executor.dispose();
    constants.dispose();
  }
}
