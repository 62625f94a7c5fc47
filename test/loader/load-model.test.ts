import { deflateSync, gzipSync } from 'node:zlib';
import onnxProto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { ModelError, UnsupportedOpError } from '../../src/common/errors.ts';
import { floatTensor, intTensor } from '../../src/common/tensor.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import {
  buildModel,
  float,
  floats,
  int,
  ints,
  type ModelSpec,
  type NodeSpec,
  tensor,
  text,
} from '../support/onnx-builder.ts';

const { AttributeType } = onnxProto.onnx.AttributeProto;

/** `x → Relu → y`, changed as told. */
function relu(changes: Partial<ModelSpec> = {}): Uint8Array<ArrayBuffer> {
  const nodes = [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }];
  return buildModel({ inputs: [{ name: 'x', dims: [1, 3] }], outputs: ['y'], nodes, ...changes });
}

function node(op: string, input: string, output: string, more: Partial<NodeSpec> = {}): NodeSpec {
  return { op, inputs: [input], outputs: [output], ...more };
}

async function failure(bytes: Uint8Array | ArrayBuffer): Promise<Error> {
  try {
    await loadModel(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ModelError);
    return error as Error;
  }
  throw new Error('expected a ModelError, got a model');
}

async function failureText(bytes: Uint8Array | ArrayBuffer): Promise<string> {
  return (await failure(bytes)).message;
}

describe('a sound model', () => {
  const conv: NodeSpec = {
    op: 'Conv',
    name: 'stem',
    inputs: ['x', 'w', ''],
    outputs: ['y'],
    attributes: {
      group: int(1),
      pads: ints([1, 1, 1, 1]),
      auto_pad: text('NOTSET'),
      extra: floats([0.5]),
      a: float(2),
    },
  };
  const bytes = buildModel({
    opset: 12,
    irVersion: 7,
    producer: 'pytorch',
    inputs: [
      { name: 'x', dims: [1, 'channels', null, 640] },
      { name: 'n', type: 'int64' },
    ],
    outputs: [{ name: 'y', dims: [], type: 'float16' }],
    nodes: [conv],
    initializers: { w: floatTensor([1, 2], [3, 4]), sizes: intTensor([1], [-1]) },
    edit: (model) => {
      model.producerVersion = '1.8';
    },
  });

  test('header', async () => {
    expect(await loadModel(bytes)).toMatchObject({ producer: 'pytorch 1.8', irVersion: 7, opset: 12 });
  });

  test('declared values: numbers, symbols, unknowns, undeclared rank, scalars', async () => {
    const { inputs, outputs } = await loadModel(bytes);
    expect(inputs).toEqual([
      { name: 'x', type: 'float32', dims: [1, 'channels', null, 640] },
      { name: 'n', type: 'int64', dims: null },
    ]);
    expect(outputs).toEqual([{ name: 'y', type: 'float16', dims: [] }]);
  });

  test('nodes keep omitted inputs and attributes keep their types', async () => {
    const { nodes } = await loadModel(bytes);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({ name: 'stem', op: 'Conv', inputs: ['x', 'w', ''], outputs: ['y'] });
    const { attributes } = nodes[0]!;
    expect(attributes.int('group')).toBe(1);
    expect(attributes.ints('pads')).toEqual([1, 1, 1, 1]);
    expect(attributes.string('auto_pad')).toBe('NOTSET');
    expect(attributes.floats('extra')).toEqual([0.5]);
    expect(attributes.float('a')).toBe(2);
    attributes.assertAllRead();
  });

  test('initializers', async () => {
    const { initializers } = await loadModel(bytes);
    expect([...initializers]).toEqual([
      ['w', floatTensor([1, 2], [3, 4])],
      ['sizes', intTensor([1], [-1])],
    ]);
  });

  test('the same from an ArrayBuffer, a Node Buffer and a view into a larger buffer', async () => {
    const expected = await loadModel(bytes);
    const padded = new Uint8Array(bytes.length + 10);
    padded.set(bytes, 5);
    for (const form of [bytes.buffer, Buffer.from(bytes), padded.subarray(5, 5 + bytes.length)]) {
      const model = await loadModel(form);
      expect(model.initializers).toEqual(expected.initializers);
      expect(model.inputs).toEqual(expected.inputs);
      expect(model.nodes.map(({ name }) => name)).toEqual(['stem']);
    }
  });

  test('the model does not follow its bytes', async () => {
    const copy = bytes.slice();
    const { initializers } = await loadModel(copy);
    copy.fill(0xff);
    expect(initializers.get('w')!.data).toEqual(Float32Array.of(3, 4));
  });

  test('inputs that are initializers are constants (IR below 4 lists both)', async () => {
    const inputs = [{ name: 'x' }, { name: 'w', dims: [1] }];
    const model = await loadModel(relu({ irVersion: 3, inputs, initializers: { w: floatTensor([1], [1]) } }));
    expect(model.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(model.initializers.has('w')).toBe(true);
  });

  test('an input or an initializer may be an output', async () => {
    const outputs = ['x', 'w', 'y'];
    const model = await loadModel(relu({ outputs, initializers: { w: floatTensor([1], [1]) } }));
    expect(model.outputs.map(({ name }) => name)).toEqual(outputs);
  });

  test('omitted outputs may repeat', async () => {
    const nodes = [{ op: 'Dropout', inputs: ['x'], outputs: ['y', '', ''] }];
    expect((await loadModel(relu({ nodes }))).nodes[0]!.outputs).toEqual(['y', '', '']);
  });

  test('integers beyond 2^53 saturate ("slice to the end")', async () => {
    const ends = { type: AttributeType.INTS, ints: [{ low: -1, high: 0x7fffffff, unsigned: false }] } as object;
    const { nodes } = await loadModel(relu({ nodes: [node('Slice', 'x', 'y', { attributes: { ends } })] }));
    expect(nodes[0]!.attributes.ints('ends')).toEqual([Number.MAX_SAFE_INTEGER]);
  });

  test('a Constant keeps its tensor', async () => {
    const value = intTensor([2], [3, -4]);
    const constant = { op: 'Constant', inputs: [], outputs: ['c'], attributes: { value: tensor(value) } };
    const { nodes } = await loadModel(relu({ nodes: [constant, node('Relu', 'x', 'y')] }));
    expect(nodes[0]!.attributes.tensor('value')).toEqual(value);
  });
});

describe('names', () => {
  async function names(...given: string[]): Promise<string[]> {
    const nodes = given.map((name, index) => node('Relu', `v${index}`, `v${index + 1}`, { name }));
    const model = await loadModel(relu({ inputs: [{ name: 'v0' }], outputs: ['v1'], nodes }));
    return model.nodes.map(({ name }) => name);
  }

  test('the name of the file, else Op_index', async () => {
    expect(await names('a', '', 'b', '')).toEqual(['a', 'Relu_1', 'b', 'Relu_3']);
  });

  test('a name given twice stays with the first', async () => {
    expect(await names('a', 'a', 'a')).toEqual(['a', 'Relu_1', 'Relu_2']);
  });

  test('a made-up name never takes one that the file gives', async () => {
    expect(await names('', 'Relu_0', '', 'Relu_2')).toEqual(['Relu_0_', 'Relu_0', 'Relu_2_', 'Relu_2']);
    expect(await names('Relu_1', 'Relu_1')).toEqual(['Relu_1', 'Relu_1_']);
  });

  test('a custom domain is part of the operator, the default domain is not', async () => {
    const nodes = [node('Relu', 'x', 'm', { domain: 'com.acme' }), node('Relu', 'm', 'y', { domain: 'ai.onnx' })];
    const model = await loadModel(relu({ nodes }));
    expect(model.nodes.map(({ op }) => op)).toEqual(['com.acme::Relu', 'Relu']);
  });
});

describe('not a model', () => {
  const html = '<!DOCTYPE html><html><head><title>404: Not Found</title></head><body>Not Found</body></html>';
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13];
  const jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46];
  const zip = [0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0, ...deflateSync('model')];

  test.each<[string, string | Iterable<number>, string]>([
    ['an HTML page', html, 'an HTML or XML page: check that the URL downloads the model itself'],
    ['an HTML page after blank lines and a BOM', `\ufeff\r\n\n${html}`, 'an HTML or XML page'],
    ['an S3 error', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'an HTML or XML page'],
    ['JSON', '{"message": "Not Found"}', 'JSON text'],
    [
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:58\n',
      'a Git LFS pointer: run `git lfs',
    ],
    ['a zip', zip, 'a zip archive: unpack it and pass the .onnx file inside'],
    ['a gzip', gzipSync('model'), 'a gzip archive: unpack it first'],
    ['a JPEG', jpeg, 'a JPEG picture: are model and picture swapped?'],
    ['a PNG', png, 'a PNG picture'],
    ['a PDF', '%PDF-1.4\n%', 'a PDF document'],
  ])('%s', async (_, content, looksLike) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);
    const message = await failureText(bytes);
    expect(message).toContain(`${bytes.length} bytes`);
    expect(message).toContain(`it looks like ${looksLike}`);
  });

  test('empty bytes', async () => {
    expect(await failureText(new Uint8Array())).toBe('model: expected an ONNX file, got an empty one');
    expect(await failureText(new ArrayBuffer(0))).toBe('model: expected an ONNX file, got an empty one');
  });

  test('zeros and unknown bytes', async () => {
    expect(await failureText(new Uint8Array(64))).toMatch(/damaged, truncated or of another format|ends too early/);
    expect(await failureText(new Uint8Array(64).fill(0xff))).toMatch(/64 bytes/);
  });

  test('the error of protobuf is the cause', async () => {
    expect((await failure(relu().subarray(0, 30))).cause).toBeInstanceOf(RangeError);
  });
});

describe('a truncated model', () => {
  const bytes = relu({ initializers: { w: floatTensor([64], new Float32Array(64)) } });

  test('every cut is noticed', async () => {
    for (let end = 0; end < bytes.length; end++) {
      expect(await failureText(bytes.subarray(0, end)), `cut at ${end}`).toMatch(/empty|early|truncated/);
    }
  });

  test('inside the graph it says so', async () => {
    expect(await failureText(bytes.subarray(0, 100))).toBe(
      'model: not a readable ONNX file of 100 bytes: it ends too early: truncated or damaged',
    );
  });

  test('no graph', async () => {
    const edit: ModelSpec['edit'] = (model) => {
      model.graph = null;
    };
    expect(await failureText(relu({ edit }))).toMatch(/^model: no graph in \d+ bytes: it is damaged, truncated/);
  });

  test('no outputs', async () => {
    expect(await failureText(relu({ outputs: [] }))).toBe('model: expected outputs, got none: the file is truncated');
  });
});

describe('opset', () => {
  test.each([7, 11, 12, 21])('%i loads', async (opset) => {
    expect((await loadModel(relu({ opset }))).opset).toBe(opset);
  });

  test.each([1, 6, 22, 1000])('%i is out of range', async (opset) => {
    expect(await failureText(relu({ opset }))).toBe(`model: expected operator set 7 to 21, got ${opset}`);
  });

  test('none, or only that of a custom domain', async () => {
    const nodes = [node('Relu', 'x', 'y', { domain: 'com.acme' })];
    for (const bytes of [relu({ opset: null }), relu({ opset: null, nodes })]) {
      expect(await failureText(bytes)).toContain('expected an operator set version, got none');
    }
  });

  test('the default domain may be spelled out, after others', async () => {
    const edit: ModelSpec['edit'] = (model) => {
      model.opsetImport = [
        { domain: 'com.acme', version: 1 },
        { domain: 'ai.onnx', version: 13 },
      ];
    };
    expect((await loadModel(relu({ edit }))).opset).toBe(13);
  });
});

describe('weights', () => {
  test.each([NaN, Infinity, -Infinity])('%d is refused with tensor and index', async (bad) => {
    const w = floatTensor([2, 2], [0, 1, bad, NaN]);
    expect(await failureText(relu({ initializers: { w } }))).toBe(
      `initializer "w": weights must be finite, got ${bad} at index 2 of 2×2: the file is damaged`,
    );
  });

  test('a tensor of the wrong length is named', async () => {
    const w = { dims: [4], dataType: 1, rawData: new Uint8Array(15) };
    expect(await failureText(relu({ initializers: { w } }))).toBe(
      'initializer "w": expected 16 bytes for 4 of float32, got 15',
    );
  });

  test('so is the attribute of a node', async () => {
    const value = tensor({ dims: [4], dataType: 8, stringData: [] });
    const nodes = [node('Constant', 'x', 'y', { name: 'c', attributes: { value } })];
    expect(await failureText(relu({ nodes }))).toBe('c: attribute value: expected a numeric element type, got string');
  });

  test('a sparse initializer is named', async () => {
    const edit: ModelSpec['edit'] = (model) => {
      model.graph!.sparseInitializer = [{ values: { name: 'w' } }];
    };
    expect(await failureText(relu({ edit }))).toBe('initializer "w" is sparse, which has no mapping');
  });

  test('an initializer without a name', async () => {
    expect(await failureText(relu({ initializers: { '': floatTensor([1], [1]) } }))).toContain('to have a name');
  });
});

describe('values', () => {
  const w = floatTensor([1], [1]);

  test('two nodes', async () => {
    const nodes = [node('Relu', 'x', 'y'), node('Sigmoid', 'x', 'y', { name: 'second' })];
    expect(await failureText(relu({ nodes }))).toBe('second: value "y" is defined twice');
  });

  test('a node and an input, a node and an initializer', async () => {
    expect(await failureText(relu({ nodes: [node('Relu', 'x', 'x')] }))).toBe('Relu_0: value "x" is defined twice');
    expect(await failureText(relu({ initializers: { y: w } }))).toBe('Relu_0: value "y" is defined twice');
  });

  test('two inputs, two initializers', async () => {
    expect(await failureText(relu({ inputs: [{ name: 'x' }, { name: 'x' }] }))).toBe(
      'inputs: value "x" is defined twice',
    );
    const edit: ModelSpec['edit'] = (model) => {
      model.graph!.initializer!.push(model.graph!.initializer![0]!);
    };
    expect(await failureText(relu({ initializers: { w }, edit }))).toBe('initializer "w" is defined twice');
  });

  test('an input that nothing computes', async () => {
    const nodes = [node('Relu', 'lost', 'y', { name: 'r' })];
    expect(await failureText(relu({ nodes }))).toBe('r: Relu reads "lost", which nothing before it defines');
  });

  test('nodes out of order', async () => {
    const nodes = [node('Relu', 'm', 'y', { name: 'r' }), node('Relu', 'x', 'm')];
    expect(await failureText(relu({ nodes }))).toBe('r: Relu reads "m", which nothing before it defines');
  });

  test('a node that reads itself', async () => {
    expect(await failureText(relu({ nodes: [node('Relu', 'y', 'y')] }))).toContain('reads "y"');
  });

  test('an output that nothing computes', async () => {
    expect(await failureText(relu({ outputs: ['y', 'z'] }))).toBe('output "z" is not computed by any node');
  });
});

describe('attributes that no operator here takes', () => {
  async function ignored(attribute: object): Promise<unknown> {
    const nodes = [node('If', 'x', 'y', { name: 'branch', attributes: { then_branch: attribute } })];
    const model = await loadModel(relu({ nodes }));
    try {
      model.nodes[0]!.attributes.assertAllRead();
    } catch (error) {
      return error;
    }
    return undefined;
  }

  test.each<[string, object, string]>([
    ['a subgraph', { type: AttributeType.GRAPH, g: { node: [] } }, 'a subgraph'],
    ['subgraphs', { type: AttributeType.GRAPHS, graphs: [{}] }, 'a subgraph'],
    ['tensors', { type: AttributeType.TENSORS, tensors: [] }, 'a value of attribute type 9'],
    ['a sparse tensor', { type: AttributeType.SPARSE_TENSOR, sparseTensor: {} }, 'a value of attribute type 11'],
    ['no type', {}, 'a value of attribute type 0'],
    ['a reference', { type: AttributeType.INT, refAttrName: 'n' }, 'a reference to a function attribute'],
  ])('%s', async (_, attribute, shown) => {
    const error = await ignored(attribute);
    expect(error).toBeInstanceOf(UnsupportedOpError);
    expect(error).toMatchObject({ node: 'branch', op: 'If' });
    expect((error as Error).message).toBe(`branch: If with attribute then_branch = ${shown} has no mapping`);
  });

  test('a getter does not crash on them either', async () => {
    const attributes = { axis: { type: AttributeType.GRAPH, g: {} } };
    const model = await loadModel(relu({ nodes: [node('Softmax', 'x', 'y', { attributes })] }));
    expect(() => model.nodes[0]!.attributes.int('axis')).toThrow('attribute axis expects int, got other');
  });

  test('an attribute given twice', async () => {
    const edit: ModelSpec['edit'] = (model) => {
      const axis = { name: 'axis', ...int(1) };
      model.graph!.node![0]!.attribute = [axis, axis];
    };
    expect(await failureText(relu({ edit }))).toBe('Relu_0: attribute axis is given twice');
  });

  test('subgraphs nested beyond the stack are skipped like any other', async () => {
    const reversed: number[] = [];
    const wrap = (tag: number) => {
      const length: number[] = [];
      let rest = reversed.length;
      for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
      reversed.push(rest, ...length.reverse(), tag);
    };
    // attribute.g, node.attribute and graph.node in turn, then model.graph
    for (let depth = 0; depth < 10_000; depth++) for (const tag of [0x32, 0x2a, 0x0a]) wrap(tag);
    wrap(0x3a);
    // read to its end: what it lacks is all there is to say
    const error = await failure(Uint8Array.from(reversed.reverse()));
    expect(error.cause).toBeUndefined();
    expect(error.message).toContain('expected an operator set version, got none');
  });
});
