import onnxProto from 'onnx-proto';
import { expect, it } from 'vitest';
import { type OrtTensor, runOrt, runOrtInOrder, withExtraOutputs } from './ort.ts';

const { onnx } = onnxProto;
const float = { tensorType: { elemType: onnx.TensorProto.DataType.FLOAT } };

/** Relu(x) → `20`, Neg → hidden, Sigmoid of that → `10`. */
const model = onnx.ModelProto.encode({
  irVersion: 7,
  opsetImport: [{ domain: '', version: 13 }],
  graph: {
    name: 'test',
    node: [
      { opType: 'Relu', input: ['x'], output: ['20'] },
      { opType: 'Neg', input: ['20'], output: ['hidden'] },
      { opType: 'Sigmoid', input: ['hidden'], output: ['10'] },
    ],
    input: [{ name: 'x', type: { tensorType: { ...float.tensorType, shape: { dim: [{ dimParam: 'n' }] } } } }],
    output: ['20', '10'].map((name) => ({ name, type: float })),
  },
}).finish();
const x: OrtTensor = { dims: [2], data: Float32Array.of(-1, 2) };

it('keeps the order of numeric output names', async () => {
  const results = await runOrtInOrder(model, x);
  expect(results.map(([name]) => name)).toEqual(['20', '10']);
  expect(results[0]![1]).toEqual({ dims: [2], data: Float32Array.of(0, 2) });
});

it('returns intermediate values', async () => {
  const expected = Float32Array.of(-0, -2);
  expect((await runOrt(model, { x }, { extraOutputs: ['hidden'] })).hidden?.data).toEqual(expected);
  expect((await runOrt(withExtraOutputs(model, ['hidden', '20']), { x })).hidden?.data).toEqual(expected);
});
