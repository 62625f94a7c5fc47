import { describe, it } from 'vitest';
import { openGpu, slowAdapter } from '../../support/gpu.ts';
import { checkOperators, type OperatorCase } from './check-operators.ts';

/** Operator sets at which operators changed, with one image and with three. */
const RUNS = [
  { opset: 7, batch: 1 },
  { opset: 9, batch: 3 },
  { opset: 11, batch: 1 },
  { opset: 13, batch: 3 },
  { opset: 18, batch: 1 },
  { opset: 21, batch: 3 },
];

/** The cases in every operator set, and with half floats between layers. */
export function checkFamily(name: string, cases: readonly OperatorCase[]): void {
  describe(`${name} agree with onnxruntime`, () => {
    // kernels are the same in all of them
    const runs = slowAdapter ? RUNS.slice(-1) : RUNS;
    it.each(runs)('operator set $opset, batch $batch', (run) => checkOperators(cases, run));

    it('with half floats between layers', async ({ skip }) => {
      const { device } = await openGpu();
      skip(!device.features.has('shader-f16'), 'no shader-f16');
      await checkOperators(cases, { opset: 21, batch: 3, precision: 'f16' });
    });
  });
}
