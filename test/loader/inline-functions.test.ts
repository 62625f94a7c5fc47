import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { floatTensor } from '../../src/common/tensor.ts';
import { createNetwork } from '../../src/index.node.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { bytes, concatenate, string } from '../../src/loader/protobuf-writer.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel, float, type ModelSpec, type NodeSpec } from '../support/onnx-builder.ts';
import { runOrt } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';

const { onnx } = onnxProto;

/** A function of the domain `own`. */
interface FunctionSpec {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeSpec[];
  /** Attributes without a value of their own, and such as have one. */
  readonly attributes?: readonly string[];
  readonly defaults?: Readonly<Record<string, onnxProto.onnx.IAttributeProto>>;
  readonly opset?: number;
}

const AttributeType = onnx.AttributeProto.AttributeType;
const reference = (name: string) => ({ type: AttributeType.FLOAT, refAttrName: name });
const call = (op: string, inputs: string[], outputs: string[], attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  op,
  domain: 'own',
  inputs,
  outputs,
  attributes,
});

/** A message of onnx-proto's functions, which have neither a domain nor defaults. */
function functionBytes({ name, inputs, outputs, nodes, attributes = [], defaults = {}, opset = 17 }: FunctionSpec) {
  const bare = buildModel({ outputs: [], nodes });
  const { graph } = onnx.ModelProto.decode(bare);
  const rest = onnx.FunctionProto.encode({
    name,
    input: [...inputs],
    output: [...outputs],
    node: graph!.node!,
    attribute: [...attributes],
    opsetImport: [
      { domain: '', version: opset },
      { domain: 'own', version: 1 },
    ],
  }).finish();
  const defaultBytes = Object.entries(defaults).flatMap(([key, value]) =>
    bytes(11, [onnx.AttributeProto.encode({ ...value, name: key }).finish()]),
  );
  return concatenate(bytes(25, [rest, ...string(10, 'own'), ...defaultBytes]));
}

function fileOf(functions: readonly FunctionSpec[], spec: Partial<ModelSpec> & Pick<ModelSpec, 'nodes'>): Uint8Array {
  const model = buildModel({
    opset: 17,
    irVersion: 8,
    inputs: [{ name: 'x', dims: [2, 3, 4, 4] }],
    outputs: ['y'],
    ...spec,
  });
  return new Uint8Array(Buffer.concat([model, ...functions.map(functionBytes)]));
}

const LEAKY: FunctionSpec = {
  name: 'Leaky',
  inputs: ['x', 'shift'],
  outputs: ['y', 'unused'],
  attributes: ['slope'],
  nodes: [
    // t is a value of the graph, too
    { op: 'Add', inputs: ['x', 'shift'], outputs: ['t'] },
    { op: 'LeakyRelu', inputs: ['t'], outputs: ['y'], attributes: { alpha: reference('slope') }, name: 'act' },
    { op: 'Relu', inputs: ['t'], outputs: ['unused'] },
  ],
};

const TWICE: FunctionSpec = {
  name: 'Twice',
  inputs: ['a', 'b'],
  outputs: ['c'],
  defaults: { slope: { ...float(0.25), name: 'slope' } },
  nodes: [
    call('Leaky', ['a', 'b'], ['t', 'n'], { slope: reference('slope') }),
    call('Leaky', ['t', 'a'], ['c', 'm'], { slope: float(0.75) }),
  ],
};

describe('functions of a model', () => {
  it('are computed as onnxruntime computes them: nested, with attributes, with names that others have', async () => {
    const nodes: NodeSpec[] = [
      call('Twice', ['x', 't'], ['u']),
      { op: 'Relu', inputs: ['u'], outputs: ['v'], name: 'Twice_0/act' },
      call('Twice', ['v', 'x'], ['w'], { slope: float(-0.5) }),
      { op: 'Add', inputs: ['w', 'u'], outputs: ['y'] },
    ];
    const file = fileOf([LEAKY, TWICE], { nodes, initializers: { t: floatTensor([3, 1, 1], [-0.5, 0.25, 1]) } });
    const x = { dims: [2, 3, 4, 4], data: createRng(3).floats(96) };
    const { device } = await openGpu();
    await using network = await createNetwork(file, { inputShape: x.dims, device });
    const expected = await runOrt(file, { x });
    expectClose((await network.run(x.data)).y!.data, expected.y!.data, { abs: 1e-6, reason: 'sums of four' });
  });

  it('may leave out an optional input', async () => {
    const clip: FunctionSpec = {
      name: 'Bound',
      inputs: ['x', 'low', 'high'],
      outputs: ['y'],
      nodes: [{ op: 'Clip', inputs: ['x', 'low', 'high'], outputs: ['y'] }],
    };
    const nodes = [call('Bound', ['x', '', 'one'], ['y'])];
    const { nodes: inlined } = await loadModel(fileOf([clip], { nodes, initializers: { one: floatTensor([], [1]) } }));
    expect(inlined.map(({ op, inputs, outputs }) => [op, inputs, outputs])).toEqual([
      ['Clip', ['x', '', 'one'], ['y']],
    ]);
  });

  const itself = { ...TWICE, nodes: [call('Twice', ['a', 'b'], ['c'])] };
  const doubling = Array.from({ length: 40 }, (_, i): FunctionSpec => {
    const next = call(`f${i + 1}`, ['a'], []);
    return { name: `f${i}`, inputs: ['a'], outputs: [], nodes: [next, next] };
  });

  it.each<[string, FunctionSpec[], NodeSpec, string]>([
    ['calls itself', [itself], call('Twice', ['x', 'x'], ['y']), 'Twice: function Twice calls itself'],
    [
      'is of other rules',
      [{ ...LEAKY, opset: 13 }],
      call('Leaky', ['x', 'x'], ['y']),
      'function Leaky: expected operator set 17, as the model has, got 13',
    ],
    [
      'has fewer inputs than its call',
      [LEAKY],
      call('Leaky', ['x', 'x', 'x'], ['y']),
      'Leaky: function Leaky expects at most 2 inputs and 2 outputs, got 3 inputs and 1 outputs',
    ],
    ['calls too many', doubling, call('f0', ['x'], []), 'names and attributes of called functions, got more'],
  ])('are refused where one %s', async (_, functions, node, message) => {
    const nodes = [node, { op: 'Relu', inputs: ['x'], outputs: ['z'] }];
    await expect(loadModel(fileOf(functions, { nodes, outputs: ['z'] }))).rejects.toThrow(message);
  });

  it('that are missing are named as operators without a mapping', async () => {
    const { device } = await openGpu();
    const network = createNetwork(fileOf([LEAKY], { nodes: [call('Other', ['x'], ['y'])] }), {
      inputShape: [2, 3, 4, 4],
      device,
    });
    await expect(network).rejects.toThrow('own::Other has no mapping');
  });
});
