import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { floatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../../src/common/tensor.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { loadOperators } from '../../src/graph/load-operators.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { buildModel, int, ints, type NodeSpec, tensor, text } from '../support/onnx-builder.ts';
import { runOrt } from '../support/ort.ts';
import { node } from './models.ts';

const index = (...values: number[]) => intTensor([values.length], values);
const vector = (...values: number[]) => floatTensor([values.length], values);
const big = (...values: bigint[]): Tensor => ({
  type: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values),
});

const [FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16, UINT32] = [1, 2, 3, 6, 7, 9, 10, 12];
const cast = (text: string, to: number) => node(text, { to: int(to) });

/** A model that adds the constant `c` to zeros. */
function model(nodes: readonly NodeSpec[], initializers: Readonly<Record<string, Tensor>>): Uint8Array {
  return buildModel({
    opset: 13,
    irVersion: 8,
    inputs: [{ name: 'x', dims: [1, 1, 1, 1] }],
    outputs: ['y'],
    nodes: [...nodes, node('y = Add(x, c)')],
    initializers,
  });
}

type FoldCase = [string, NodeSpec[], Record<string, Tensor>];

/** A function that float32 rounds in one way only, or of numbers that it does so with. */
function ofFloats(op: string): FoldCase {
  const values = ['Exp', 'Log'].includes(op) ? [1, 0.5] : [2, 0.1, 2.5, 1.5, 3.7];
  return [`${op} of floats`, [node(`c = ${op}(k)`)], { k: vector(...values) }];
}

describe('constants are what onnxruntime computes', () => {
  it.each<FoldCase>([
    ['integers as booleans', [cast('b = Cast(k)', BOOL), cast('c = Cast(b)', FLOAT)], { k: index(0, 2, -1, 256) }],
    ['floats as booleans', [cast('b = Cast(k)', BOOL), cast('c = Cast(b)', FLOAT)], { k: vector(0, 0.5, -2) }],
    [
      'floats as half floats',
      [cast('h = Cast(k)', FLOAT16), cast('c = Cast(h)', FLOAT)],
      { k: vector(1 / 3, -2049, 65504, 65520, 1e-8, 6e-8, 0.1) },
    ],
    ['integers as half floats', [cast('h = Cast(k)', FLOAT16), cast('c = Cast(h)', FLOAT)], { k: index(2049, -4099) }],
    ['floats as integers', [cast('i = Cast(k)', INT64), cast('c = Cast(i)', FLOAT)], { k: vector(1.9, -1.9, 2 ** 40) }],
    ['integers as bytes', [cast('i = Cast(k)', UINT8), cast('c = Cast(i)', FLOAT)], { k: index(300, -1, 255) }],
    ['integers as signed bytes', [cast('i = Cast(k)', INT8), cast('c = Cast(i)', FLOAT)], { k: index(300, 200, -129) }],
    ['integers as int32', [cast('i = Cast(k)', INT32), cast('c = Cast(i)', FLOAT)], { k: index(2 ** 31, -1) }],
    ['integers as uint32', [cast('i = Cast(k)', UINT32), cast('c = Cast(i)', FLOAT)], { k: index(2 ** 32 + 5, -1) }],
    [
      'differences of integers beyond 2^53',
      [node('d = Sub(k, l)'), cast('c = Cast(d)', FLOAT)],
      { k: big(2n ** 53n + 1n, -(2n ** 62n)), l: big(2n ** 53n, -(2n ** 62n) - 1n) },
    ],
    [
      'products that overflow',
      [node('d = Mul(k, l)'), cast('c = Cast(d)', FLOAT)],
      { k: big(2n ** 62n + 3n, 5n), l: big(4n, -7n) },
    ],
    ['quotients of integers', [node('d = Div(k, l)'), cast('c = Cast(d)', FLOAT)], { k: index(-7, 7, 9), l: index(2) }],
    ['quotients of floats', [node('c = Div(k, l)')], { k: vector(1, -1, 0, 2), l: vector(0, 0, 0, 3) }],
    [
      'a sum that is broadcast both ways',
      [node('c = Add(k, l)')],
      { k: floatTensor([2, 1, 3], [1, 2, 3, 4, 5, 6]), l: floatTensor([4, 1], [10, 20, 30, 40]) },
    ],
    [
      'picks along an axis',
      [node('c = Gather(k, i)', { axis: int(1) })],
      { k: floatTensor([2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), i: intTensor([2, 2], [2, -3, 0, 1]) },
    ],
    [
      'a slice of steps',
      [node('c = Slice(k, from, to, axes, steps)')],
      {
        k: floatTensor([2, 6], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ...{ from: index(-5, 0), to: index(6, 9), axes: index(1, -2), steps: index(2, 1) },
      },
    ],
    [
      'parts side by side',
      [node('c = Concat(k, l, k)', { axis: int(-1) })],
      { k: floatTensor([2, 2], [1, 2, 3, 4]), l: floatTensor([2, 1], [5, 6]) },
    ],
    [
      'three dimensions in another order',
      [node('c = Transpose(k)', { perm: ints([2, 0, 1]) })],
      { k: floatTensor([2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) },
    ],
    [
      'a filled shape',
      [node('f = ConstantOfShape(s)', { value: tensor(index(7)) }), cast('c = Cast(f)', FLOAT)],
      { s: index(2, 3) },
    ],
    ['Floor and Ceil', [node('f = Floor(k)'), node('g = Ceil(k)'), node('c = Add(f, g)')], { k: vector(1.5, -1.5, 2) }],
    ...['Sqrt', 'Reciprocal', 'Round', 'Abs', 'Neg', 'Sign', 'Exp', 'Log'].map(ofFloats),
    ...['Abs', 'Neg', 'Sign'].map(
      (op): FoldCase => [
        `${op} of integers`,
        [node(`r = ${op}(k)`), cast('c = Cast(r)', FLOAT)],
        { k: big(-(2n ** 53n) - 1n, 7n, 0n) },
      ],
    ),
    ...['Min', 'Max'].map(
      (op): FoldCase => [
        `${op} of three, of integers`,
        [node(`r = ${op}(k, l, m)`), node('s = Sub(r, l)'), cast('c = Cast(s)', FLOAT)],
        { k: big(2n ** 60n + 1n, -5n), l: big(2n ** 60n), m: index(3) },
      ],
    ),
    ...['Min', 'Max', 'Sum', 'Mean', 'Pow'].map(
      (op): FoldCase => [
        `${op} of floats, broadcast`,
        [node(`c = ${op}(k, l)`)],
        { k: floatTensor([2, 1], [0.1, 3]), l: vector(0.2, 2, 1 / 3) },
      ],
    ),
    [
      'powers of integers',
      [node('r = Pow(k, two)'), node('s = Pow(k, l)'), node('t = Add(r, s)'), cast('c = Cast(t)', FLOAT)],
      { k: index(-3, 2 ** 30), two: index(2), l: index(3, 1) },
    ],
    ['a power by integers', [node('c = Pow(k, two)')], { k: vector(0.1, 3), two: index(2) }],
    ...[0, 1].map(
      (fmod): FoldCase => [
        `remainders of integers, fmod ${fmod}`,
        [node('r = Mod(k, l)', { fmod: int(fmod) }), cast('c = Cast(r)', FLOAT)],
        { k: index(7, -7, 7, -7, 6), l: index(3, 3, -3, -3, 3) },
      ],
    ),
    [
      'remainders of floats',
      [node('c = Mod(k, l)', { fmod: int(1) })],
      { k: vector(5.3, -5.3, 6), l: vector(2, 2, -0.1) },
    ],
    ...['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'].map(
      (op): FoldCase => [
        `${op}, and what it chooses`,
        [node(`b = ${op}(k, l)`), node('n = Not(b)'), node('w = Where(n, k, m)'), cast('c = Cast(w)', FLOAT)],
        { k: index(1, 2, 3), l: index(2), m: intTensor([2, 1], [10, 20]) },
      ],
    ),
    ...['And', 'Or', 'Xor'].map(
      (op): FoldCase => [
        op,
        [cast('p = Cast(k)', BOOL), cast('q = Cast(l)', BOOL), node(`b = ${op}(p, q)`), cast('c = Cast(b)', FLOAT)],
        { k: index(0, 1, 0, 1), l: index(0, 0, 1, 1) },
      ],
    ),
    ...['Sum', 'Mean', 'Max', 'Min', 'Prod'].flatMap((op): FoldCase[] => [
      [
        `Reduce${op} of integers`,
        [
          node(op === 'Sum' ? 'r = ReduceSum(k)' : `r = Reduce${op}(k)`, { keepdims: int(0) }),
          cast('c = Cast(r)', FLOAT),
        ],
        // onnxruntime has the mean of int32 alone
        { k: op === 'Mean' ? floatTensor([3], [1, 2, 6]) : index(-4, 5, 6) },
      ],
    ]),
    ...['Max', 'Min', 'Prod', 'L1', 'L2', 'SumSquare', 'Mean'].map(
      (op): FoldCase => [
        `Reduce${op} of floats along an axis`,
        [node(`c = Reduce${op}(k)`, { axes: ints([0]), keepdims: int(0) })],
        { k: floatTensor([2, 3], [1, -2, 3, 4, 5, -6]) },
      ],
    ),
    ...['ArgMax', 'ArgMin'].map(
      (op): FoldCase => [
        op,
        [node(`r = ${op}(k)`, { axis: int(1), select_last_index: int(1) }), cast('c = Cast(r)', FLOAT)],
        { k: floatTensor([2, 3], [1, 3, 3, 4, 4, 5]) },
      ],
    ),
  ])('%s', async (_, nodes, initializers) => {
    const bytes = model(nodes, initializers);
    const expected = (await runOrt(bytes, { x: { dims: [1, 1, 1, 1], data: new Float32Array(1) } })).y!;
    const loaded = await loadModel(bytes);
    await loadOperators(loaded);
    const { dims, data } = buildGraph(loaded, [1, 1, 1, 1]).constants.get('c')!;
    // the sum has four dimensions at least
    expect(formatDims([1, 1, 1, 1, ...dims].slice(-Math.max(4, dims.length)))).toBe(formatDims(expected.dims));
    expect(data).toEqual(expected.data);
    expect(data.length).toBe(sizeOf(dims));
  });
});

describe('damaged constants are a ModelError that names the node', () => {
  it.each<[string, NodeSpec[], Record<string, Tensor>, string]>([
    ['one input', [node('c = Add(k)')], { k: vector(1) }, 'Add_0: Add expects input 1, got none'],
    [
      'an omitted part',
      [node('c = Concat(k, , k)', { axis: int(0) })],
      { k: vector(1) },
      'Concat_0: Concat expects input 1, got none',
    ],
    ['no indices', [node('c = Gather(k)')], { k: vector(1) }, 'Gather_0: Gather expects input 1, got none'],
    ['no shape', [node('c = Reshape(k)')], { k: vector(1) }, 'Reshape_0: Reshape expects input 1, got none'],
    [
      'two types',
      [node('c = Add(k, i)')],
      { k: vector(1), i: index(1) },
      'Add_0: Add expects one type, got float32 and int64',
    ],
    [
      'parts of two types',
      [node('c = Concat(k, i)', { axis: int(0) })],
      { k: vector(1), i: index(1) },
      'Concat_0: Concat expects one type, got float32 and int64',
    ],
    [
      'parts of two shapes',
      [node('c = Concat(k, l)', { axis: int(0) })],
      { k: vector(1), l: floatTensor([1, 1], [1]) },
      'Concat_0: inputs 1 and 1×1 differ off axis 0',
    ],
    [
      'infinity as an integer',
      [node('d = Div(k, z)'), cast('i = Cast(d)', INT64), cast('c = Cast(i)', FLOAT)],
      { k: vector(1), z: vector(0) },
      'Cast_1: Cast of Infinity to ONNX type 7 is not defined',
    ],
    [
      'a float beyond the integers',
      [cast('i = Cast(k)', INT8), cast('c = Cast(i)', FLOAT)],
      { k: vector(128) },
      'Cast_0: Cast of 128 to ONNX type 3 is not defined',
    ],
    [
      'an order that repeats an axis',
      [node('c = Transpose(k)', { perm: ints([0, 0]) })],
      { k: floatTensor([1, 1], [1]) },
      'Transpose_0: perm 0,0 does not permute 1×1',
    ],
    [
      'an order of too few axes',
      [node('c = Transpose(k)', { perm: ints([1]) })],
      { k: floatTensor([1, 1], [1]) },
      'Transpose_0: perm 1 does not permute 1×1',
    ],
    [
      'a division by zero',
      [node('d = Div(i, z)'), cast('c = Cast(d)', FLOAT)],
      { i: index(7), z: index(0) },
      'Div_0: division of 7 by zero',
    ],
    [
      'a shape of floats',
      [node('c = Reshape(k, k)')],
      { k: vector(1) },
      'Reshape_0: expected dimensions to be integers, got floats',
    ],
    [
      'ranges of two lengths',
      [node('c = Slice(k, from, to)')],
      { k: vector(1, 2), from: index(0), to: index(1, 1) },
      'Slice_0: expected as many starts, ends, axes and steps, got 1, 2, 1, 1',
    ],
    [
      'ranges that repeat an axis',
      [node('c = Slice(k, from, from, axes)')],
      { k: vector(1, 2), from: index(0, 0), axes: index(0, -1) },
      'Slice_0: axes 0,-1 repeat',
    ],
    [
      'negative dimensions',
      [node('c = ConstantOfShape(s)')],
      { s: index(-1, -2) },
      'ConstantOfShape_0: expected dimensions of zero or more, got -1×-2',
    ],
    [
      'a value of two elements',
      [node('c = ConstantOfShape(s)', { value: tensor(vector(1, 2)) })],
      { s: index(2) },
      'ConstantOfShape_0: expected a value of one element, got 2',
    ],
    ['no input', [node('c = Shape()')], {}, 'Shape_0: Shape expects an input, got none'],
    [
      'integers that attributes do not hold',
      [node('i = Constant()', { value_int: int(2 ** 60) }), cast('c = Cast(i)', FLOAT)],
      {},
      'Constant_0: Constant of integers beyond 2^53 in attributes has no mapping',
    ],
  ])('%s', async (_, nodes, initializers, message) => {
    const loaded = await loadModel(model(nodes, initializers));
    const failure = await Promise.resolve()
      .then(() => buildGraph(loaded, [1, 1, 1, 1]))
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ModelError);
    expect((failure as Error).message).toBe(message);
  });
});

describe('damaged nodes are a ModelError that names them', () => {
  const channels = floatTensor([4], [1, 1, 1, 1]);
  const scalar = floatTensor([], [1]);
  const longer = floatTensor([5], [1, 1, 1, 1, 1]);
  it.each<[string, NodeSpec, string]>([
    [
      'BatchNormalization’s shift',
      node('y = BatchNormalization(x, w, s, w, w)'),
      'BatchNormalization_0: expected 4 channels of scale and shift, got 1',
    ],
    [
      'BatchNormalization’s variance',
      node('y = BatchNormalization(x, w, w, w, l)'),
      'BatchNormalization_0: expected 4 channels of scale and shift, got 5',
    ],
    [
      'InstanceNormalization’s shift',
      node('y = InstanceNormalization(x, w, l)'),
      'InstanceNormalization_0: expected 4 channels of scale and shift, got 5',
    ],
    [
      'GroupNormalization’s shift',
      node('y = GroupNormalization(x, w, s)', { num_groups: int(2) }),
      'GroupNormalization_0: expected 4 channels of scale and shift, got 1',
    ],
    [
      'negative groups',
      node('y = GroupNormalization(x, w, w)', { num_groups: int(-2) }),
      'GroupNormalization_0: expected 3 or more dimensions with channels in -2 groups, got 1×4×6×6',
    ],
    [
      'no groups',
      node('y = GroupNormalization(x, w, w)', { num_groups: int(0) }),
      'GroupNormalization_0: expected 3 or more dimensions with channels in 0 groups, got 1×4×6×6',
    ],
    [
      'a huge window',
      node('y = MaxPool(x)', { kernel_shape: ints([1, 10 ** 9]), pads: ints([0, 10 ** 9, 0, 10 ** 9]) }),
      'MaxPool_0: expected kernel_shape of at most 268435456, got 1,1000000000',
    ],
    [
      'huge pads',
      node('y = MaxPool(x)', {
        kernel_shape: ints([1, 2]),
        pads: ints([0, 10 ** 9, 0, 10 ** 9]),
        strides: ints([1, 2 ** 28]),
      }),
      'MaxPool_0: expected pads of at most 268435456, got 0,1000000000,0,1000000000',
    ],
    [
      'a resize of the batch',
      node('y = Resize(x, , batch)'),
      'Resize_0: Resize by 1.5 along the batch and 1 along the channels has no mapping',
    ],
    [
      'a resize of the channels',
      node('y = Resize(x, , channels)'),
      'Resize_0: Resize by 1 along the batch and 1.2000000476837158 along the channels has no mapping',
    ],
    ['matrices that do not fit', node('y = MatMul(x, w)'), 'MatMul_0: cannot multiply 1×4×6×6 by 4'],
    ['a product with a number', node('y = MatMul(x, s)'), 'MatMul_0: cannot multiply 1×4×6×6 by scalar'],
    ['a Gemm of an image', node('y = Gemm(x, w, w)'), 'Gemm_0: Gemm expects matrices, got 1×4×6×6'],
    ['a product of one', node('y = MatMul(x)'), 'MatMul_0: MatMul expects two inputs, got one'],
    [
      'LayerNormalization’s shift',
      node('y = LayerNormalization(x, six, w)'),
      'LayerNormalization_0: expected scale and shift of 6, got 4',
    ],
    [
      'a third norm',
      node('y = LpNormalization(x)', { p: int(3) }),
      'LpNormalization_0: LpNormalization with p 3 has no mapping',
    ],
    [
      'remainders as of integers',
      node('y = Mod(x, s)'),
      'Mod_0: Mod with fmod 0 has no mapping, which ONNX has for integers alone',
    ],
    ['a comparison of one', node('y = Less(x)'), 'Less_0: Less expects input 1, got none'],
    ['a comparison of three', node('y = Less(x, s, s)'), 'Less_0: Less expects two inputs, got 3'],
    ['a choice of one', node('y = Where(x, s)'), 'Where_0: Where expects input 2, got none'],
    ['an omitted value of many', node('y = Max(x, , s)'), 'Max_0: Max expects input 1, got none'],
    ['a reduction along no axis', node('y = ReduceSum(x, axes)'), 'ReduceSum_0: axis 4 is outside 4 dimensions'],
    [
      'a Gelu of its own',
      node('y = Gelu(x)', { approximate: text('erf') }),
      'Gelu_0: expected approximate of none or tanh, got erf',
    ],
  ])('%s', async (_, damaged, message) => {
    const bytes = buildModel({
      opset: 21,
      inputs: [{ name: 'x', dims: [1, 4, 6, 6] }],
      outputs: ['y'],
      nodes: [damaged],
      initializers: {
        ...{ six: vector(1, 1, 1, 1, 1, 1), axes: index(4) },
        ...{ w: channels, s: scalar, l: longer },
        batch: vector(1.5, 1, 1, 1),
        channels: vector(1, 1.2, 1, 1),
      },
    });
    const loaded = await loadModel(bytes);
    await loadOperators(loaded);
    expect(() => buildGraph(loaded, [1, 4, 6, 6])).toThrow(message);
    expect(() => buildGraph(loaded, [1, 4, 6, 6])).toThrow(ModelError);
  });

  it('a pool that would read for years', async () => {
    const side = 4096;
    const window = { kernel_shape: ints([side, side]), pads: ints(new Array<number>(4).fill(side / 2)) };
    const loaded = await loadModel(
      buildModel({
        inputs: [{ name: 'x', dims: [1, 1, side, side] }],
        outputs: ['y'],
        nodes: [node('y = MaxPool(x)', window)],
      }),
    );
    expect(() => buildGraph(loaded, [1, 1, side, side])).toThrow(
      'MaxPool_0: expected at most 34359738368 reads, got 281612432441344 for windows of 4096×4096 on 1×1×4096×4096',
    );
  });
});
