import { expect, test } from 'vitest';
import { floatTensor, intTensor, type Tensor } from '../../src/common/tensor.ts';
import type { AttributeValue } from '../../src/loader/attributes.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { writeModel } from '../../src/loader/write-model.ts';

test('what is written is read back', async () => {
  const attributes: Record<string, AttributeValue> = {
    i: { kind: 'int', value: -1 },
    f: { kind: 'float', value: 0.5 },
    s: { kind: 'string', value: 'häuser' },
    is: { kind: 'ints', value: [0, 300, -2] },
    fs: { kind: 'floats', value: [1.5, -2] },
    ss: { kind: 'strings', value: ['a', ''] },
    t: { kind: 'tensor', value: floatTensor([], [3]) },
  };
  const inputs = [{ name: 'x', type: 'float32', dims: [1, 'height', null, 640] }];
  const outputs = [{ name: 'y', type: 'float32', dims: null }];
  const initializers = new Map<string, Tensor>([
    ['w', floatTensor([2, 1], [1, -1])],
    ['k', intTensor([3], [0, -1, 2 ** 40])],
    ['none', floatTensor([0], [])],
  ]);
  const nodes = [{ name: 'n', op: 'Any', inputs: ['x', '', 'w'], outputs: ['y'], attributes }];
  const model = await loadModel(
    writeModel({ producer: 'me', irVersion: 6, opset: 11, inputs, outputs, nodes, initializers }),
  );
  expect(model).toMatchObject({ producer: 'me', irVersion: 6, opset: 11, inputs, outputs });
  expect([...model.initializers]).toEqual([...initializers]);
  const node = model.nodes[0]!;
  expect([node.name, node.op, node.inputs, node.outputs]).toEqual(['n', 'Any', ['x', '', 'w'], ['y']]);
  const read = node.attributes;
  expect([read.int('i'), read.float('f'), read.string('s'), read.ints('is'), read.floats('fs')]).toEqual(
    Object.values(attributes)
      .slice(0, 5)
      .map(({ value }) => value),
  );
  expect(read.tensor('t')).toEqual(floatTensor([], [3]));
});

test('only float32 values and known attributes are written', () => {
  const rest = { producer: '', irVersion: 6, opset: 11, inputs: [], nodes: [], initializers: new Map() };
  expect(() => writeModel({ ...rest, outputs: [{ name: 'y', type: 'int64', dims: null }] })).toThrow(
    'value "y": expected float32, got int64',
  );
});
