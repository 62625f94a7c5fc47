import { expect, test } from 'vitest';
import { floatTensor, intTensor } from '../../src/common/tensor.ts';
import { buildModel, float, int, tensor } from './onnx-builder.ts';
import { runOrt } from './ort.ts';

test('onnxruntime runs what it builds', async () => {
  const model = buildModel({
    inputs: [{ name: 'x', dims: [1, 1, 'h', null] }],
    outputs: ['y', { name: 'flat', dims: ['n'] }],
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['c'], attributes: { group: int(1) } },
      { op: 'LeakyRelu', inputs: ['c'], outputs: ['y'], attributes: { alpha: float(1) } },
      { op: 'Constant', inputs: [], outputs: ['shape'], attributes: { value: tensor(intTensor([1], [-1])) } },
      { op: 'Reshape', inputs: ['y', 'shape'], outputs: ['flat'] },
    ],
    initializers: { w: floatTensor([1, 1, 1, 1], [2]) },
  });
  const { y, flat } = await runOrt(model, { x: { dims: [1, 1, 1, 2], data: Float32Array.of(-1, 3) } });
  expect(y).toEqual({ dims: [1, 1, 1, 2], data: Float32Array.of(-2, 6) });
  expect(flat).toEqual({ dims: [2], data: Float32Array.of(-2, 6) });
});
