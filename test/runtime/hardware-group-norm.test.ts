import { readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { sizeOf } from '../../src/common/tensor.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadEveryMethod, loadTarget } from '../../src/graph/load-target.ts';
import { chooseMethod, convKey } from '../../src/kernels/conv/methods.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { expectClose } from '../support/compare.ts';
import { modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { disposeOrt, runOrtInOrder } from '../support/ort.ts';
import { photographBlob } from '../support/photographs.ts';
import { runPlan } from '../support/run-plan.ts';

withData('networks whose group norms have parts, as on hardware, equal onnxruntime', () => {
  afterAll(disposeOrt);

  test.each(['scrfd_500m.onnx', 'scrfd_1g.onnx', 'scrfd_2.5g.onnx'])('%s', async (file) => {
    const context = await openGpu();
    const dims = [1, 3, 256, 320] as const;
    const model = await loadModel(new Uint8Array(await readFile(modelNamed(file))));
    // convolutions by this adapter's methods, which it compiles sooner
    const own = await loadTarget(context.traits);
    const { convs } = compileNetwork(model, dims, own);
    const choices = new Map(convs.map((spec) => [convKey(spec), chooseMethod(spec, own)]));
    const hardware = await loadEveryMethod({ ...context.traits, software: false });
    const plan = compileNetwork(model, dims, hardware, { choices });
    const norms = plan.steps.filter(({ label }) => label.includes('group-norm-scale'));
    const { groups } = buildGraph(model, dims).nodes.find((node) => node.op === 'GroupNorm')!;
    // three levels beside each other, each with a workgroup for every part of every group
    expect(Math.max(...norms.map(({ dispatch }) => sizeOf(dispatch.workgroups)))).toBeGreaterThan(3 * groups);
    const data = await photographBlob([dims[3], dims[2]]);
    const actual = await runPlan(context, plan, Float32Array.from(data));
    for (const [i, [name, tensor]] of (await runOrtInOrder(modelNamed(file), { dims, data })).entries()) {
      expect(plan.outputs[i]!.name).toBe(name);
      const reason = `${name}: float32 sums in another order, some 60 layers deep`;
      expectClose(actual[i]!, tensor.data, { abs: 5e-4, rel: 5e-4, reason });
    }
  });
});
