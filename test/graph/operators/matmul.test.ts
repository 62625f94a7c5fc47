import { type Dims, floatTensor, sizeOf } from '../../../src/common/tensor.ts';
import { float, int, ints, type NodeSpec } from '../../support/onnx-builder.ts';
import { createRng } from '../../support/rng.ts';
import { node } from '../models.ts';
import { checkFamily } from './check-family.ts';
import type { OperatorCase } from './check-operators.ts';

const constant = (...dims: number[]) => floatTensor(dims, createRng(sizeOf(dims)).floats(sizeOf(dims)));

/** Right operands of x, by its shape. */
const RIGHT: readonly [shape: NonNullable<OperatorCase['shape']>, b: Dims][] = [
  ['image', [5, 7]],
  ['image', [6, 5, 3]],
  ['image', [2, 1, 1, 5, 3]],
  ['image', [5]],
  [2, [120, 33]],
  [2, [120]],
  [3, [20, 9]],
  [3, [1, 20, 40]],
  [5, [3, 5, 2]],
];

type Attributes = NonNullable<NodeSpec['attributes']>;

/** Gemms of x as a matrix of 120 columns. */
const GEMMS: readonly [title: string, b: Dims, c: Dims, attributes: Attributes][] = [
  ['plain', [120, 10], [10], {}],
  ['of PyTorch', [10, 120], [10], { transB: int(1) }],
  ['scaled', [10, 120], [1, 10], { transB: int(1), alpha: float(0.5), beta: float(2) }],
  ['of many columns', [300, 120], [300], { transB: int(1) }],
  ['with a scalar', [120, 5], [], { beta: float(-1) }],
  ['with a column', [120, 5], [1, 1], { alpha: float(3) }],
];

const cases: OperatorCase[] = [
  ...RIGHT.map(
    ([shape, b]): OperatorCase => ({
      title: `MatMul of ${shape} by ${b.join('×')}`,
      nodes: [node('y = MatMul(x, b)')],
      constants: { b: constant(...b) },
      shape,
    }),
  ),
  ...(
    [
      [[7, 4], 'image'],
      [[2, 6], 3],
      [[2, 3, 6, 4], 5],
      [[4], 5],
    ] as const
  ).map(
    ([a, shape]): OperatorCase => ({
      title: `MatMul of ${a.join('×')} by ${shape}`,
      nodes: [node('y = MatMul(a, x)')],
      constants: { a: constant(...a) },
      shape,
    }),
  ),
  ...(['image', 3, 5] as const).map(
    (shape): OperatorCase => ({
      title: `MatMul of two of ${shape}`,
      nodes: [
        node('t = Transpose(z)', { perm: ints({ image: [0, 1, 3, 2], 3: [0, 2, 1], 5: [0, 1, 2, 4, 3] }[shape]) }),
        node('y = MatMul(x, t)'),
      ],
      shape,
    }),
  ),
  ...GEMMS.map(
    ([title, b, c, attributes]): OperatorCase => ({
      title: `Gemm ${title}`,
      nodes: [node('y = Gemm(x, b, c)', attributes)],
      constants: { b: constant(...b), c: constant(...c) },
      shape: 2,
    }),
  ),
  {
    title: 'Gemm without a bias',
    nodes: [node('y = Gemm(x, b)', { transB: int(1) })],
    constants: { b: constant(6, 120) },
    ...{ shape: 2, opsets: [11] },
  },
  {
    title: 'a product of a matrix with itself',
    nodes: [node('y = Gemm(x, z, s)', { transA: int(1) })],
    constants: { s: constant(120, 1) },
    shape: 2,
  },
  {
    title: 'a product of computed rows',
    nodes: [node('g = Gemm(x, z, s)', { transB: int(1) }), node('y = Gemm(g, x, t)')],
    constants: { s: constant(1), t: constant(120) },
    shape: 2,
  },
  // what becomes a part of the product
  ...['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSwish'].map(
    (op): OperatorCase => ({
      title: `Gemm and ${op}`,
      nodes: [node('g = Gemm(x, b, c)', { transB: int(1) }), node(`y = ${op}(g)`)],
      constants: { b: constant(9, 120), c: constant(9) },
      ...{ shape: 2, opsets: [op === 'HardSwish' ? 14 : 7] },
    }),
  ),
  ...[true, false].map(
    (transB): OperatorCase => ({
      title: `Gemm, BatchNormalization and Relu, ${transB ? '' : 'not '}transposed`,
      nodes: [
        node('g = Gemm(x, b, c)', { transB: int(Number(transB)), beta: float(0.5) }),
        node('n = BatchNormalization(g, s, c, c, v)', { epsilon: float(1e-3) }),
        node('y = Relu(n)'),
      ],
      constants: {
        b: constant(...(transB ? [9, 120] : [120, 9])),
        ...{ c: constant(9), s: constant(9), v: floatTensor([9], createRng(1).floats(9, 0.5, 1.5)) },
      },
      shape: 2,
    }),
  ),
  ...(
    [
      [2, 120],
      [3, 6],
      [5, 2],
    ] as const
  ).map(
    ([shape, channels]): OperatorCase => ({
      title: `BatchNormalization of rank ${shape}`,
      nodes: [node('y = BatchNormalization(x, s, b, b, v)')],
      constants: {
        ...{ s: constant(channels), b: constant(channels) },
        v: floatTensor([channels], createRng(1).floats(channels, 0.5, 1.5)),
      },
      shape,
    }),
  ),
  {
    title: 'a convolution of the whole image, flattened and normalised',
    nodes: [
      node('g = Conv(x, w)', { group: int(6) }),
      node('f = Flatten(g)'),
      node('y = BatchNormalization(f, s, b, b, v)'),
    ],
    constants: {
      ...{ w: constant(6, 1, 4, 5), s: constant(6), b: constant(6) },
      v: floatTensor([6], createRng(1).floats(6, 0.5, 1.5)),
    },
  },
  ...['Add', 'Sub', 'Mul', 'Div'].map(
    (op): OperatorCase => ({
      title: `MatMul and ${op}`,
      nodes: [node('m = MatMul(x, b)'), node(`y = ${op}(m, c)`)],
      constants: { b: constant(20, 8), c: floatTensor([8], createRng(2).floats(8, 0.5, 2)) },
      shape: 3,
    }),
  ),
];

checkFamily('products of matrices', cases);
