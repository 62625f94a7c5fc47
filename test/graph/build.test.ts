import { describe, expect, it } from 'vitest';
import { ModelError, UnsupportedOpError } from '../../src/common/errors.ts';
import { type Dims, floatTensor, formatDims, intTensor, type Tensor } from '../../src/common/tensor.ts';
import { buildGraph } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/ir.ts';
import { printGraph } from '../../src/graph/print.ts';
import { verify } from '../../src/graph/verify.ts';
import { buildModel, float, floats, int, ints, type NodeSpec, tensor, text } from '../support/onnx-builder.ts';
import { type OrtTensor, runOrt } from '../support/ort.ts';
import { graphOf, modelOf, node, type SmallModel, weights } from './models.ts';

async function build(nodes: readonly NodeSpec[], spec: SmallModel = {}): Promise<Graph> {
  return verify(await graphOf(nodes, spec), 'build');
}

/** Shape of the last node's value. */
async function shape(nodes: readonly NodeSpec[], spec: SmallModel = {}): Promise<string> {
  const graph = await build(nodes, spec);
  return formatDims(graph.dims.get(graph.outputs.at(-1)!)!);
}

/** What the only node becomes. */
async function only(text: string, attributes: NodeSpec['attributes'], spec: SmallModel = {}) {
  const graph = await build([node(text, attributes)], spec);
  expect(graph.nodes).toHaveLength(1);
  return graph.nodes[0]!;
}

const index = (...values: number[]) => intTensor([values.length], values);
const scalar = (value: number) => intTensor([], [value]);
const vector = (...values: number[]) => floatTensor([values.length], values);

describe('shape arithmetic is folded', () => {
  //     Reshape(x, f(Shape(x)))    becomes    Reshape(x) to known dims
  it.each<[string, NodeSpec[], Record<string, Tensor>, string]>([
    [
      'Shape, Gather, Unsqueeze, Concat',
      [
        node('s = Shape(x)'),
        node('n = Gather(s, zero)', { axis: int(0) }),
        node('u = Unsqueeze(n)', { axes: ints([0]) }),
        node('t = Concat(u, rest)', { axis: int(0) }),
      ],
      { zero: scalar(0), rest: index(-1, 4) },
      '2×48×4',
    ],
    [
      'Slice by attributes, Cast',
      [
        node('s = Shape(x)'),
        node('c = Cast(s)', { to: int(7) }),
        node('t = Slice(c)', { starts: ints([0]), ends: ints([2]) }),
        node('u = Concat(t, rest)', { axis: int(0) }),
      ],
      { rest: index(-1) },
      '2×4×48',
    ],
    [
      'Slice by inputs, negative and far ends, steps',
      [node('s = Shape(x)'), node('p = Slice(s, from, to, axis, step)'), node('t = Concat(p, rest)', { axis: int(0) })],
      { from: index(-4), to: index(2 ** 40), axis: index(0), step: index(2), rest: index(-1) },
      '2×8×24',
    ],
    [
      'Mul, Add, Sub, Div, Floor and Ceil on floats',
      [
        node('s = Shape(x)'),
        node('f = Cast(s)', { to: int(1) }),
        node('h = Div(f, halves)'),
        node('l = Floor(h)'),
        node('a = Add(l, ones)'),
        node('m = Mul(a, ones)'),
        node('b = Sub(m, ones)'),
        node('e = Ceil(b)'),
        node('i = Cast(e)', { to: int(7) }),
        node('t = Mul(i, fix)'),
      ],
      { halves: vector(1, 1.5, 1, 1), ones: vector(1), fix: index(1, 1, 2, 1) },
      '2×2×16×6',
    ],
    [
      'integer Div, Squeeze, Transpose, Reshape, Identity',
      [
        node('s = Shape(x)'),
        node('d = Div(s, two)'),
        node('q = Reshape(d, square)'),
        node('p = Transpose(q)'),
        node('i = Identity(p)'),
        node('r = Reshape(i, flat)'),
        node('o = Unsqueeze(r)', { axes: ints([0, 2]) }),
        node('z = Squeeze(o)'),
        node('t = Mul(z, fix)'),
      ],
      { two: index(2), square: index(2, 2), flat: index(-1), fix: index(2, 2, 2, 2) },
      '2×8×4×6',
    ],
    [
      'ConstantOfShape and Constant',
      [
        node('one = Constant()', { value: tensor(index(1)) }),
        node('t = ConstantOfShape(one)', { value: tensor(index(-1)) }),
      ],
      {},
      '384',
    ],
  ])('%s', async (_, nodes, initializers, expected) => {
    const reshape = node(`y = Reshape(x, ${nodes.at(-1)!.outputs[0]})`);
    // since opset 10 Slice takes inputs
    const opset = nodes.some(({ attributes }) => attributes?.starts) ? 9 : 11;
    const spec = { initializers, opset, dims: [2, 4, 8, 6] };
    const graph = await build([...nodes, reshape], spec);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Reshape']);
    expect(formatDims(graph.dims.get('y')!)).toBe(expected);
    // onnxruntime agrees
    const bytes = buildModel({
      opset,
      inputs: [{ name: 'x', dims: ['n', 'c', 'h', 'w'] }],
      outputs: ['y'],
      nodes: [...nodes, reshape],
      initializers,
    });
    const x: OrtTensor = { dims: spec.dims, data: new Float32Array(384) };
    expect(formatDims((await runOrt(bytes, { x })).y!.dims)).toBe(expected);
  });

  it('Shape with start and end', async () => {
    const nodes = [
      node('s = Shape(x)', { start: int(-2), end: int(4) }),
      node('t = Concat(s, rest)', { axis: int(0) }),
      node('y = Reshape(x, t)'),
    ];
    expect(await shape(nodes, { initializers: { rest: index(-1) }, opset: 15, dims: [1, 4, 8, 6] })).toBe('8×6×4');
  });

  it.each<[string, NodeSpec['attributes'], number[]]>([
    ['value_float', { value_float: float(2) }, [2]],
    ['value_floats', { value_floats: floats([1, 2, 3, 4, 5, 6, 7, 8]) }, [1, 2, 3, 4, 5, 6, 7, 8]],
  ])('Constant with %s', async (_, attributes, expected) => {
    const graph = await build([node('k = Constant()', attributes), node('y = Add(x, k)')], { opset: 13 });
    expect([...graph.constants.get('k')!.data]).toEqual(expected);
  });

  it.each<[string, NodeSpec['attributes']]>([
    ['value_ints', { value_ints: ints([0, -1]) }],
    ['value', { value: tensor(index(0, -1)) }],
  ])('Constant with %s', async (_, attributes) => {
    expect(await shape([node('k = Constant()', attributes), node('y = Reshape(x, k)')], { opset: 13 })).toBe('1×256');
  });

  it('Gather of several along an axis', async () => {
    const initializers = { table: floatTensor([2, 3], [1, 2, 3, 4, 5, 6]), picks: intTensor([2], [-1, 0]) };
    const graph = await build(
      [
        node('k = Gather(table, picks)', { axis: int(1) }),
        node('z = Concat(k, k)', { axis: int(0) }),
        node('s = Slice(z, from, to)'),
        node('y = Mul(x, s)'),
      ],
      {
        initializers: { ...initializers, from: index(1, 0), to: index(3, 1) },
        dims: [1, 1, 2, 5],
      },
    );
    expect(graph.constants.get('k')).toEqual(floatTensor([2, 2], [3, 1, 6, 4]));
    expect(graph.constants.get('s')).toEqual(floatTensor([2, 1], [6, 3]));
  });
});

describe('Conv and pools', () => {
  const initializers = { w: weights(2, 4, 3, 3) };

  it.each<[string, number, Dims, readonly number[], string]>([
    ['SAME_UPPER', 2, [1, 4, 8, 8], [0, 0, 1, 1], '1×2×4×4'],
    ['SAME_LOWER', 2, [1, 4, 8, 8], [1, 1, 0, 0], '1×2×4×4'],
    ['SAME_UPPER', 2, [1, 4, 9, 7], [1, 1, 1, 1], '1×2×5×4'],
    ['SAME_UPPER', 1, [1, 4, 9, 7], [1, 1, 1, 1], '1×2×9×7'],
    ['VALID', 2, [1, 4, 8, 8], [0, 0, 0, 0], '1×2×3×3'],
  ])('auto_pad %s, stride %i, input %j', async (auto, stride, dims, pads, expected) => {
    const attributes = { auto_pad: text(auto), strides: ints([stride, stride]) };
    const spec = { initializers, dims };
    expect(await only('y = Conv(x, w)', attributes, spec)).toMatchObject({ pads });
    expect(await shape([node('y = Conv(x, w)', attributes)], spec)).toBe(expected);
    const pool = { ...attributes, kernel_shape: ints([3, 3]) };
    expect(await only('y = MaxPool(x)', pool, { dims })).toMatchObject({ pads, op: 'Pool', kind: 'max' });
  });

  it('counts the windows of a pool', async () => {
    const pool = (attributes: NodeSpec['attributes'], dims: Dims) =>
      shape([node('y = AveragePool(x)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]), ...attributes })], {
        dims,
      });
    expect(await pool({}, [1, 1, 5, 4])).toBe('1×1×2×2');
    expect(await pool({ ceil_mode: int(1) }, [1, 1, 5, 4])).toBe('1×1×3×2');
    // the fourth window would start in the padding behind
    expect(await pool({ ceil_mode: int(1), pads: ints([0, 0, 1, 1]) }, [1, 1, 6, 4])).toBe('1×1×3×2');
  });

  it('defaults', async () => {
    const defaults = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
    expect(await only('y = Conv(x, w)', {}, { initializers })).toMatchObject({
      kernel: [3, 3],
      group: 1,
      bias: null,
      ...defaults,
    });
    expect(await only('y = Conv(x, w, )', {}, { initializers })).toMatchObject({ bias: null });
    expect(await only('y = MaxPool(x)', { kernel_shape: ints([2, 3]) })).toMatchObject({
      ceilMode: false,
      ...defaults,
    });
  });
});

describe('Reshape', () => {
  const reshape = (target: readonly number[], dims: Dims, batch = false) =>
    shape([node('y = Reshape(x, t)')], {
      initializers: { t: index(...target) },
      dims,
      ...(batch && { inputs: [{ name: 'x', dims: [1, 4, 8, 8] }] }),
    });

  it('copies dimensions for 0 and infers one for -1', async () => {
    expect(await reshape([0, -1], [3, 4, 8, 8])).toBe('3×256');
    expect(await reshape([0, 2, -1], [3, 4, 8, 8])).toBe('3×2×128');
    expect(await reshape([-1, 4], [3, 4, 8, 8])).toBe('192×4');
    expect(await reshape([1, -1, 4], [2, 4, 8, 8])).toBe('1×128×4');
  });

  it('takes a shape that was baked for one image for each of a batch', async () => {
    expect(await reshape([1, 256], [1, 4, 8, 8])).toBe('1×256');
    expect(await reshape([1, 256], [3, 4, 8, 8], true)).toBe('3×256');
    expect(await reshape([1, 4, 64], [2, 4, 8, 8], true)).toBe('2×4×64');
  });

  it.each([
    [[0, 100], '[0, 100]'],
    [[-1, 100], '[-1, 100]'],
    [[2, 256], '[2, 256]'],
  ])('refuses %j', async (target, shown) => {
    await expect(reshape(target, [1, 4, 8, 8])).rejects.toThrow(
      new ModelError(`Reshape_0: cannot reshape 1×4×8×8 to ${shown}`),
    );
  });
});

describe('Resize and Upsample', () => {
  const initializers = {
    twice: vector(1, 1, 2, 2),
    part: vector(1, 1, 0.7, 2),
    none: floatTensor([0], []),
    sizes: index(1, 4, 16, 24),
    channels: vector(1, 2, 2, 2),
  };
  const nearest = { mode: text('nearest') };

  it.each<[string, number, string, NodeSpec['attributes'], object]>([
    [
      'Upsample 7',
      7,
      'y = Upsample(x)',
      { ...nearest, scales: floats([1, 1, 2, 2]) },
      { coordinates: 'asymmetric', nearest: 'simple' },
    ],
    ['Upsample 9', 9, 'y = Upsample(x, twice)', nearest, { coordinates: 'asymmetric', nearest: 'simple' }],
    ['Resize 10', 10, 'y = Resize(x, twice)', nearest, { coordinates: 'asymmetric', nearest: 'simple' }],
    [
      'Resize 11',
      11,
      'y = Resize(x, none, twice)',
      nearest,
      { coordinates: 'half_pixel', nearest: 'round_prefer_floor' },
    ],
    [
      'Resize 11, empty sizes',
      11,
      'y = Resize(x, none, twice, )',
      { mode: text('linear'), coordinate_transformation_mode: text('align_corners') },
      { mode: 'linear', coordinates: 'align_corners' },
    ],
    [
      'Resize 13',
      13,
      'y = Resize(x, , twice)',
      { ...nearest, nearest_mode: text('ceil'), cubic_coeff_a: float(-0.75) },
      { coordinates: 'half_pixel', nearest: 'ceil' },
    ],
  ])('%s', async (_, opset, call, attributes, mode) => {
    const resize = await only(call, attributes, { initializers, opset, dims: [2, 4, 8, 8] });
    expect(resize).toMatchObject({ op: 'Resize', mode, scales: [2, 2], size: [16, 16] });
  });

  it('by sizes, those of one image for a batch', async () => {
    for (const [opset, call] of [
      [11, 'y = Resize(x, none, none, sizes)'],
      [13, 'y = Resize(x, , , sizes)'],
    ] as const) {
      const inputs = [{ name: 'x', dims: [1, 4, 8, 8] }];
      const resize = await only(call, nearest, { initializers, opset, inputs, dims: [3, 4, 8, 8] });
      expect(resize).toMatchObject({ scales: [2, 3], size: [16, 24] });
    }
  });

  it('rounds down a size in float32, as onnxruntime does', async () => {
    // 0.7 is a little less than 0.7 in float32, and 10 times it is 7 there
    const attributes = { ...nearest };
    expect(await shape([node('y = Resize(x, none, part)', attributes)], { initializers, dims: [1, 4, 10, 8] })).toBe(
      '1×4×7×16',
    );
    expect(await shape([node('y = Resize(x, none, part)', attributes)], { initializers, dims: [1, 4, 11, 8] })).toBe(
      '1×4×7×16',
    );
  });

  it.each<[string, string, NodeSpec['attributes'], string]>([
    [
      'channels',
      'y = Resize(x, none, channels)',
      nearest,
      'Resize_0: Resize by 1 along the batch and 2 along the channels has no mapping',
    ],
    ['mode', 'y = Resize(x, none, twice)', { mode: text('cubic') }, 'Resize_0: Resize with mode cubic has no mapping'],
    [
      'coordinates',
      'y = Resize(x, none, twice)',
      { coordinate_transformation_mode: text('tf_crop_and_resize') },
      'Resize_0: Resize with coordinate_transformation_mode tf_crop_and_resize has no mapping',
    ],
    [
      'nearest_mode',
      'y = Resize(x, none, twice)',
      { nearest_mode: text('up') },
      'Resize_0: Resize with nearest_mode up has no mapping',
    ],
    [
      'exclude_outside',
      'y = Resize(x, none, twice)',
      { exclude_outside: int(1) },
      'Resize_0: Resize with exclude_outside has no mapping',
    ],
    [
      'antialias',
      'y = Resize(x, none, twice)',
      { antialias: int(1) },
      'Resize_0: Resize with antialias has no mapping',
    ],
    [
      'policy',
      'y = Resize(x, none, twice)',
      { keep_aspect_ratio_policy: text('round') },
      'Resize_0: Resize with keep_aspect_ratio_policy round has no mapping',
    ],
    ['axes', 'y = Resize(x, none, twice)', { axes: ints([2, 3]) }, 'Resize_0: expected 2 scales, got 4'],
    ['neither', 'y = Resize(x, none, none)', nearest, 'Resize_0: expected 4 scales or 4 sizes, got none'],
  ])('refuses another %s', async (_, call, attributes, message) => {
    await expect(build([node(call, attributes)], { initializers })).rejects.toThrow(message);
  });
});

describe('operators that changed between opsets', () => {
  const initializers = { low: floatTensor([], [-1]), high: floatTensor([], [2]), axes: index(1), back: index(-1) };

  it('Clip takes attributes, then inputs', async () => {
    const clip = (low: number, high: number) => ({ activation: { kind: 'clip', low, high } });
    const attributes = { min: float(-1), max: float(2) };
    expect(await only('y = Clip(x)', attributes, { opset: 10 })).toMatchObject(clip(-1, 2));
    expect(await only('y = Clip(x)', {}, { opset: 10 })).toMatchObject(clip(-Infinity, Infinity));
    expect(await only('y = Clip(x, low, high)', {}, { initializers })).toMatchObject(clip(-1, 2));
    expect(await only('y = Clip(x, , high)', {}, { initializers })).toMatchObject(clip(-Infinity, 2));
    expect(await only('y = Clip(x, low)', {}, { initializers })).toMatchObject(clip(-1, Infinity));
  });

  it('Softmax flattens before 13', async () => {
    expect(await only('y = Softmax(x)', {})).toMatchObject({ axis: 1, flatten: true });
    expect(await only('y = Softmax(x)', { axis: int(-2) })).toMatchObject({ axis: 2, flatten: true });
    expect(await only('y = Softmax(x)', {}, { opset: 13 })).toMatchObject({ axis: 3, flatten: false });
    expect(await only('y = Softmax(x)', { axis: int(1) }, { opset: 13 })).toMatchObject({ axis: 1, flatten: false });
  });

  it('Squeeze and Unsqueeze take axes as an attribute, then as an input', async () => {
    const dims = [2, 1, 8, 1];
    const at = { axes: ints([1]) };
    expect(await shape([node('y = Squeeze(x)', at)], { dims })).toBe('2×8×1');
    expect(await shape([node('y = Squeeze(x, axes)')], { dims, initializers, opset: 13 })).toBe('2×8×1');
    expect(await shape([node('y = Squeeze(x, back)')], { dims, initializers, opset: 13 })).toBe('2×1×8');
    expect(await shape([node('y = Squeeze(x)')], { dims, opset: 13 })).toBe('2×8');
    expect(await shape([node('y = Unsqueeze(x)', at)], { dims })).toBe('2×1×1×8×1');
    expect(await shape([node('y = Unsqueeze(x, back)')], { dims, initializers, opset: 13 })).toBe('2×1×8×1×1');
  });

  it('Flatten, Transpose, Dropout and Identity have defaults', async () => {
    const dims = [2, 3, 4, 5];
    expect(await shape([node('y = Flatten(x)')], { dims })).toBe('2×60');
    expect(await shape([node('y = Flatten(x)', { axis: int(4) })], { dims })).toBe('120×1');
    expect(await shape([node('y = Flatten(x)', { axis: int(-1) })], { dims })).toBe('24×5');
    expect(await shape([node('y = Transpose(x)')], { dims })).toBe('5×4×3×2');
    expect(await shape([node('y = Dropout(x)', { ratio: float(0.3) })], { dims })).toBe('2×3×4×5');
    expect(await shape([node('y = Identity(x)')], { dims })).toBe('2×3×4×5');
  });

  it('BatchNormalization and LeakyRelu have defaults', async () => {
    const c = weights(4);
    const spec = { initializers: { a: c, b: c, m: c, v: c }, opset: 15 };
    const call = 'y = BatchNormalization(x, a, b, m, v)';
    expect(await only(call, { momentum: float(0.9), training_mode: int(0) }, spec)).toMatchObject({ epsilon: 1e-5 });
    expect(await only('y = LeakyRelu(x)', {})).toMatchObject({ activation: { kind: 'leakyRelu', slope: 0.01 } });
  });

  it('GroupNormalization has a scale per channel since 21', async () => {
    const call = node('y = GroupNormalization(x, s, s)', { num_groups: int(2) });
    const spec = { opset: 21, initializers: { s: weights(4) } };
    expect((await build([call], spec)).nodes[0]).toMatchObject({ op: 'GroupNorm', groups: 2 });
    await expect(build([call], { opset: 18, initializers: { s: weights(2) } })).rejects.toThrow(
      'GroupNormalization_0: GroupNormalization with a scale per group has no mapping, only per channel (opset 21)',
    );
  });
});

describe('refuses what has no kernel', () => {
  const initializers = {
    w: weights(2, 4, 3, 3),
    w1: weights(2, 4, 3),
    b: weights(2),
    i: index(1, 2),
    s: weights(4),
    train: { ...index(1), dims: [] },
    ratio: floatTensor([], [0.5]),
  };
  const dynamic = [node('r = Relu(x)')];

  it.each<[string, NodeSpec[], string, string, string]>([
    ['an unknown operator', [node('y = LSTM(x)')], 'LSTM_0', 'LSTM', 'has no mapping'],
    [
      'a foreign operator',
      [{ ...node('y = Gelu(x)'), domain: 'com.microsoft' }],
      'Gelu_0',
      'com.microsoft::Gelu',
      'has no mapping',
    ],
    ['a named node', [{ ...node('y = NonZero(x)'), name: 'best' }], 'best', 'NonZero', 'has no mapping'],
    [
      'an unknown attribute',
      [node('y = Relu(x)', { steepness: float(2) })],
      'Relu_0',
      'Relu',
      'with attribute steepness = 2 has no mapping',
    ],
    [
      'a tensor attribute',
      [node('y = Sigmoid(x)', { table: tensor(index(1)) })],
      'Sigmoid_0',
      'Sigmoid',
      'with attribute table = a tensor has no mapping',
    ],
    [
      'weights computed at run time',
      [...dynamic, node('y = Conv(x, r)')],
      'Conv_1',
      'Conv',
      'with weights computed at run time has no mapping',
    ],
    [
      'a bias computed at run time',
      [node('p = Sigmoid(x)'), node('y = Conv(x, w, p)')],
      'Conv_1',
      'Conv',
      'with a bias computed at run time has no mapping',
    ],
    [
      'a shape computed from values',
      [node('t = Cast(x)', { to: int(7) }), node('y = Reshape(x, t)')],
      'Reshape_1',
      'Reshape',
      'with a shape computed at run time has no mapping',
    ],
    [
      'bounds computed at run time',
      [node('m = GlobalMaxPool(x)'), node('y = Clip(x, m)')],
      'Clip_1',
      'Clip',
      'with a minimum computed at run time has no mapping',
    ],
    [
      'one dimension',
      [node('f = Flatten(x)'), node('u = Unsqueeze(f)', { axes: ints([1]) }), node('y = Conv(u, w1)')],
      'Conv_2',
      'Conv',
      'of 1×1×256 with weights 2×4×3 has no mapping, only two dimensions do',
    ],
    [
      'one stride',
      [node('y = Conv(x, w)', { strides: ints([2]) })],
      'Conv_0',
      'Conv',
      'with strides of other than two dimensions has no mapping',
    ],
    [
      'two pads',
      [node('y = Conv(x, w)', { pads: ints([1, 1]) })],
      'Conv_0',
      'Conv',
      'with pads of other than two dimensions has no mapping',
    ],
    [
      'negative pads',
      [node('y = Conv(x, w)', { pads: ints([0, -1, 0, 0]) })],
      'Conv_0',
      'Conv',
      'with negative pads 0,-1,0,0 has no mapping',
    ],
    [
      'another auto_pad',
      [node('y = Conv(x, w)', { auto_pad: text('SAME') })],
      'Conv_0',
      'Conv',
      'with auto_pad SAME has no mapping',
    ],
    [
      'indices of a pool',
      [node('y, i2 = MaxPool(x)', { kernel_shape: ints([2, 2]) })],
      'MaxPool_0',
      'MaxPool',
      'with more than one output has no mapping',
    ],
    [
      'the mask of a dropout',
      [node('y, mask = Dropout(x)')],
      'Dropout_0',
      'Dropout',
      'with more than one output has no mapping',
    ],
    [
      'a dropout in training',
      [node('y = Dropout(x, ratio, train)')],
      'Dropout_0',
      'Dropout',
      'in training mode has no mapping',
    ],
    [
      'training',
      [node('y = BatchNormalization(x, s, s, s, s)', { training_mode: int(1) })],
      'BatchNormalization_0',
      'BatchNormalization',
      'in training mode has no mapping',
    ],
    [
      'statistics a pixel',
      [node('y = BatchNormalization(x, s, s, s, s)', { spatial: int(0) })],
      'BatchNormalization_0',
      'BatchNormalization',
      'with spatial 0 has no mapping',
    ],
    [
      'integers in arithmetic',
      [node('k = Shape(x)'), node('y = Add(x, k)')],
      'Add_1',
      'Add',
      'with integer input "k" has no mapping',
    ],
    ['a cast to text', [node('y = Cast(x)', { to: int(8) })], 'Cast_0', 'Cast', 'to ONNX type 8 has no mapping'],
    [
      'allowzero',
      [node('y = Reshape(x, i)', { allowzero: int(1) })],
      'Reshape_0',
      'Reshape',
      'with allowzero has no mapping',
    ],
    [
      'a text constant',
      [node('k = Constant()', { value_string: text('a') })],
      'Constant_0',
      'Constant',
      'holds no numeric value',
    ],
  ])('%s', async (_, nodes, name, op, detail) => {
    const failure = await graphOf(nodes, { initializers: initializers }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnsupportedOpError);
    expect(failure).toMatchObject({ node: name, op, message: `${name}: ${op} ${detail}` });
  });
});

describe('refuses what is inconsistent', () => {
  const initializers = {
    w: weights(6, 4, 3, 3),
    w3: weights(6, 3, 3, 3),
    grouped: weights(3, 2, 1, 1),
    b: weights(5),
    s3: weights(3),
    s: weights(4),
    i: index(1, 2),
    k: weights(1, 3, 1, 1),
  };

  it.each<[string, NodeSpec[], string]>([
    ['input channels', [node('y = Conv(x, w3)')], 'Conv_0: weight expects 3 input channels, got 4'],
    [
      'input channels of groups',
      [node('y = Conv(x, w3)', { group: int(2) })],
      'Conv_0: weight expects 6 input channels, got 4',
    ],
    [
      'output channels of groups',
      [node('y = Conv(x, grouped)', { group: int(2) })],
      'Conv_0: expected output channels in multiples of 2 groups, got 3',
    ],
    ['bias', [node('y = Conv(x, w, b)')], 'Conv_0: bias expects 6 elements, got 5'],
    [
      'kernel_shape',
      [node('y = Conv(x, w)', { kernel_shape: ints([1, 3]) })],
      "Conv_0: kernel_shape 1,3 does not match the weight's 3,3",
    ],
    ['zero strides', [node('y = Conv(x, w)', { strides: ints([0, 1]) })], 'Conv_0: strides must be positive, got 0,1'],
    [
      'a window larger than the image',
      [node('y = MaxPool(x)', { kernel_shape: ints([9, 9]) })],
      'MaxPool_0: input 1×4×8×8 is too small, the output would be 1×4×0×0',
    ],
    ['a pool without a window', [node('y = MaxPool(x)')], 'MaxPool_0: expected kernel_shape, got none'],
    [
      'a pool of rows',
      [node('f = Flatten(x)'), node('y = MaxPool(f)', { kernel_shape: ints([2, 2]) })],
      'MaxPool_1: expected 4 dimensions (NCHW), got 1×256',
    ],
    ['no weights', [node('y = Conv(x)')], 'Conv_0: Conv expects weights as input 1, got none'],
    ['integer weights', [node('y = Conv(x, i)')], 'Conv_0: weights expects floats, got integers'],
    ['one operand', [node('y = Add(x)')], 'Add_0: Add expects two inputs, got one'],
    ['no operand', [node('y = Relu()')], 'Relu_0: Relu expects an input, got none'],
    [
      'norm channels',
      [node('y = InstanceNormalization(x, s3, s3)')],
      'InstanceNormalization_0: expected 4 channels of scale and shift, got 3',
    ],
    [
      'batch norm channels',
      [node('y = BatchNormalization(x, s3, s3, s3, s3)')],
      'BatchNormalization_0: expected 4 channels of scale and shift, got 3',
    ],
    ['shapes that do not broadcast', [node('y = Add(x, k)')], 'Add_0: cannot broadcast 1×4×8×8 with 1×3×1×1'],
    [
      'a slope larger than x',
      [node('g = GlobalMaxPool(x)'), node('y = PRelu(g, w)')],
      'PRelu_1: slope must broadcast to 1×4×1×1, got 6×4×3×3',
    ],
    ['axis', [node('y = Softmax(x)', { axis: int(4) })], 'Softmax_0: axis 4 is outside 4 dimensions'],
    [
      'concat shapes',
      [node('g = GlobalMaxPool(x)'), node('y = Concat(x, g)', { axis: int(1) })],
      'Concat_1: inputs 1×4×8×8 and 1×4×1×1 differ off axis 1',
    ],
    ['concat without axis', [node('y = Concat(x, x)')], 'Concat_0: Concat expects attribute axis, got none'],
    [
      'perm',
      [node('y = Transpose(x)', { perm: ints([0, 1, 2, 2]) })],
      'Transpose_0: perm 0,1,2,2 does not permute 1×4×8×8',
    ],
    ['squeezed axis', [node('y = Squeeze(x)', { axes: ints([2]) })], 'Squeeze_0: cannot squeeze axis 2 of 1×4×8×8'],
    ['unsqueezed axes', [node('y = Unsqueeze(x)', { axes: ints([1, 1]) })], 'Unsqueeze_0: axes 1,1 repeat'],
    ['unsqueeze without axes', [node('y = Unsqueeze(x)')], 'Unsqueeze_0: expected axes, got none'],
    [
      'attribute type',
      [node('y = Concat(x, x)', { axis: float(1) })],
      'Concat_0: Concat attribute axis expects int, got float',
    ],
    ['division of a shape by zero', [node('z = Shape(x)'), node('y = Div(z, zero)')], 'Div_1: division of 1 by zero'],
  ])('%s', async (_, nodes, message) => {
    const all = { ...initializers, zero: index(0) };
    await expect(graphOf(nodes, { initializers: all })).rejects.toThrow(new ModelError(message));
  });

  const relu = [node('y = Relu(x)')];
  it.each<[string, NodeSpec[], SmallModel, string]>([
    [
      'two inputs',
      relu,
      {
        inputs: [
          { name: 'x', dims: [1, 4, 8, 8] },
          { name: 'z', dims: [1] },
        ],
      },
      'model: expected one input, got "x", "z"',
    ],
    [
      'no input',
      [node('y = Constant()', { value: tensor(vector(1)) })],
      { inputs: [] },
      'model: expected one input, got none',
    ],
    [
      'an integer input',
      relu,
      { inputs: [{ name: 'x', dims: [1], type: 'int64' }] },
      'input "x": expected floats, got int64',
    ],
    [
      'another size',
      relu,
      { inputs: [{ name: 'x', dims: ['n', 4, 640, null] }] },
      'input "x" is fixed at n×4×640×? in the file, got 1×4×8×8',
    ],
    [
      'another rank',
      relu,
      { inputs: [{ name: 'x', dims: [1, 256] }] },
      'input "x" is fixed at 1×256 in the file, got 1×4×8×8',
    ],
    [
      'a constant output',
      [node('z = Identity(s)'), ...relu],
      { outputs: ['y', 'z'] },
      'output "z" is constant: it does not depend on the image',
    ],
  ])('%s', async (_, nodes, spec, message) => {
    await expect(graphOf(nodes, { initializers, ...spec })).rejects.toThrow(new ModelError(message));
  });

  it('run-time work on constants alone', async () => {
    const nodes = [node('z = Relu(s)'), node('y = Add(x, z)')];
    const error: unknown = await graphOf(nodes, { initializers }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UnsupportedOpError);
    expect((error as Error).message).toBe('Relu_0: Relu of constants alone has no mapping');
  });

  it('an unknown value to tap', async () => {
    const model = await modelOf(relu);
    expect(() => buildGraph(model, [1, 4, 8, 8], ['nothing'])).toThrow(
      new ModelError('output "nothing" is not computed by any node'),
    );
    expect(buildGraph(model, [1, 4, 8, 8], ['y']).outputs).toEqual(['y']);
  });

  it('but not another batch than the file says, nor a rank it does not say', async () => {
    expect(await shape(relu, { inputs: [{ name: 'x', dims: [1, 4, 8, 8] }], dims: [3, 4, 8, 8] })).toBe('3×4×8×8');
    expect(await shape(relu, { inputs: [{ name: 'x' }] })).toBe('1×4×8×8');
  });
});

it('printGraph shows every kind of node', async () => {
  const nodes = [
    node('a = Conv(x, w, b)', { group: int(2), dilations: ints([2, 2]), pads: ints([2, 2, 2, 2]) }),
    node('n = BatchNormalization(a, b, b, b, b)'),
    node('i = InstanceNormalization(n, b, b)'),
    node('p = AveragePool(i)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]), ceil_mode: int(1) }),
    node('r = Resize(p, , two)', { mode: text('linear') }),
    node('l = LeakyRelu(r)', { alpha: float(0.5) }),
    node('m = Mul(l, x)'),
    node('s = Softmax(m)', { axis: int(1) }),
    node('c = Concat(s, m)', { axis: int(1) }),
    node('t = Transpose(c)', { perm: ints([0, 2, 3, 1]) }),
    node('f = Flatten(t)'),
    node('g = GlobalMaxPool(c)'),
  ];
  const initializers = { w: weights(4, 2, 3, 3), b: weights(4), two: vector(1, 1, 2, 2) };
  expect(printGraph(await build(nodes, { initializers, opset: 13, outputs: ['f', 'g'] }))).toBe(`input x: 1×4×8×8
a: 1×4×8×8 = Conv(x, w, b) 3×3 /1,1 pad 2,2,2,2, dilation 2,2, group 2
n: 1×4×8×8 = BatchNorm(a, b, b, b, b)
i: 1×4×8×8 = GroupNorm(n, b, b) 4 groups
p: 1×4×4×4 = Pool(i) average, 2×2 /2,2 pad 0,0,0,0 ceil
r: 1×4×8×8 = Resize(p) linear, half_pixel
l: 1×4×8×8 = Unary(r) leakyRelu(0.5)
m: 1×4×8×8 = Binary(l, x) mul
s: 1×4×8×8 = Softmax(m) axis 1
c: 1×8×8×8 = Concat(s, m) axis 1
t: 1×8×8×8 = Transpose(c) perm 0,2,3,1
f: 1×512 = Reshape(t)
g: 1×8×1×1 = GlobalPool(c) max
outputs f, g
`);
});
