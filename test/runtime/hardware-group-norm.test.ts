import { readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { sizeOf } from '../../src/common/tensor.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import type { NetworkPlan } from '../../src/graph/plan.ts';
import { chooseMethod, convKey } from '../../src/kernels/conv/methods.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { Executor } from '../../src/runtime/executor.ts';
import type { GpuContext } from '../../src/runtime/gpu-context.ts';
import { BufferUsage } from '../../src/runtime/gpu-flags.ts';
import { expectClose } from '../support/compare.ts';
import { modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { disposeOrt, runOrtInOrder } from '../support/ort.ts';
import { photographBlob } from '../support/photographs.ts';

/** Outputs of a plan for any adapter, run on this one. */
async function runPlan(context: GpuContext, plan: NetworkPlan, input: Float32Array<ArrayBuffer>) {
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
      context.device.queue.writeBuffer(executor.buffer(plan.input.buffer), 0, input);
      const encoder = context.device.createCommandEncoder();
      executor.encode(encoder);
      return (await context.read(encoder, staging, parts)).map((bytes) => new Float32Array(bytes));
    });
  } finally {
    staging.destroy();
    executor.dispose();
    constants.dispose();
  }
}

withData('networks whose group norms have parts, as on hardware, equal onnxruntime', () => {
  afterAll(disposeOrt);

  test.each(['scrfd_500m.onnx', 'scrfd_1g.onnx', 'scrfd_2.5g.onnx'])('%s', async (file) => {
    const context = await openGpu();
    const dims = [1, 3, 256, 320] as const;
    const model = await loadModel(new Uint8Array(await readFile(modelNamed(file))));
    // convolutions by this adapter's methods, which it compiles sooner
    const { convs } = compileNetwork(model, dims, context.traits);
    const choices = new Map(convs.map((spec) => [convKey(spec), chooseMethod(spec, context.traits)]));
    const plan = compileNetwork(model, dims, { ...context.traits, software: false }, { choices });
    const parts = plan.steps
      .filter(({ dispatch }) => dispatch.kernel === 'group-norm-scale')
      .map(({ dispatch }) => dispatch.workgroups[0]);
    expect(Math.max(...parts)).toBeGreaterThan(1);
    const data = await photographBlob([dims[3], dims[2]]);
    const actual = await runPlan(context, plan, Float32Array.from(data));
    for (const [i, [name, tensor]] of (await runOrtInOrder(modelNamed(file), { dims, data })).entries()) {
      expect(plan.outputs[i]!.name).toBe(name);
      const reason = `${name}: float32 sums in another order, some 60 layers deep`;
      expectClose(actual[i]!, tensor.data, { abs: 5e-4, rel: 5e-4, reason });
    }
  });
});
