import { type Dims, floatTensor, sizeOf } from '../../../src/common/tensor.ts';
import { int } from '../../support/onnx-builder.ts';
import { createRng } from '../../support/rng.ts';
import { node } from '../models.ts';
import { checkFamily } from './check-family.ts';
import type { OperatorCase } from './check-operators.ts';

const constant = (...dims: number[]) => floatTensor(dims, createRng(sizeOf(dims)).floats(sizeOf(dims)));

/** Since when they take floats. */
const COMPARISONS = [
  ['Equal', 11],
  ['Less', 9],
  ['Greater', 9],
  ['LessOrEqual', 12],
  ['GreaterOrEqual', 12],
] as const;

/** Constants that images are broadcast with, and one that they are broadcast to. */
const OPERANDS: readonly Dims[] = [[], [1], [6, 1, 1], [5], [4, 1], [6, 4, 5], [1, 6, 1, 5], [2, 1, 1, 1, 1]];

/** Numbers of which some are equal. */
const whole = [node('a = Floor(x)'), node('m = Mul(x, c)'), node('b = Floor(m)')];

const cases: OperatorCase[] = [
  ...COMPARISONS.flatMap(([op, since]): OperatorCase[] => [
    {
      title: op,
      nodes: [...whole, node(`y = ${op}(a, b)`)],
      constants: { c: constant(6, 1, 1) },
      opsets: [since],
      ...{ shape: 4, type: 'bool', jumps: true },
    },
    {
      title: `${op} of an image, as a number`,
      nodes: [node(`b = ${op}(x, c)`), node('y = Cast(b)', { to: int(1) })],
      constants: { c: constant(6, 1, 1) },
      opsets: [since],
      jumps: true,
    },
  ]),
  ...['And', 'Or', 'Xor'].map(
    (op): OperatorCase => ({
      title: op,
      nodes: [node('a = Less(x, c)'), node('b = Greater(x, d)'), node(`y = ${op}(a, b)`)],
      constants: { c: constant(6, 1, 1), d: constant(4, 5) },
      opsets: [9],
      ...{ shape: 4, type: 'bool', jumps: true },
    }),
  ),
  ...['Min', 'Max', 'Sum', 'Mean'].flatMap((op): OperatorCase[] => [
    { title: `${op} of one`, nodes: [node(`y = ${op}(x)`)], opsets: [8] },
    { title: `${op} of two images`, nodes: [node(`y = ${op}(x, z)`)], opsets: [8] },
    { title: `${op} of three images`, nodes: [node('s = Sigmoid(x)'), node(`y = ${op}(x, z, s)`)], opsets: [8] },
    {
      title: `${op} of four, broadcast`,
      nodes: [node(`y = ${op}(c, x, d, e)`)],
      constants: { c: constant(5), d: constant(6, 1, 1), e: constant(4, 1) },
      opsets: [8],
    },
    ...OPERANDS.map(
      (dims): OperatorCase => ({
        title: `${op} with ${dims.join('×') || 'a scalar'}`,
        nodes: [node(`y = ${op}(x, c)`)],
        constants: { c: constant(...dims) },
        opsets: [8],
      }),
    ),
    ...([1, 2, 3, 5] as const).map(
      (shape): OperatorCase => ({
        title: `${op} of rank ${shape}`,
        nodes: [node(`y = ${op}(x, z)`)],
        shape,
        opsets: [8],
      }),
    ),
  ]),
  {
    title: 'Pow of two images',
    nodes: [node('a = Abs(x)'), node('p = Add(a, c)'), node('y = Pow(p, z)')],
    constants: { c: floatTensor([], [0.3]) },
  },
  {
    title: 'Pow of whole numbers by whole numbers, of either sign',
    nodes: [node('f = Floor(x)'), node('p = Add(f, half)'), node('e = Ceil(x)'), node('y = Pow(p, e)')],
    constants: { half: floatTensor([], [0.5]) },
    ...{ shape: 3, jumps: true },
  },
  {
    title: 'Pow by a constant a channel',
    nodes: [node('a = Abs(x)'), node('p = Add(a, c)'), node('y = Pow(p, e)')],
    constants: { c: floatTensor([], [0.3]), e: floatTensor([6, 1, 1], [1, 2, 3, 0.5, -1, 0]) },
  },
  {
    title: 'Mod',
    nodes: [node('y = Mod(x, c)', { fmod: int(1) })],
    constants: { c: floatTensor([5], [0.5, -0.5, 3, 0.25, -1]) },
    opsets: [10],
    ...{ shape: 4, jumps: true },
  },
  {
    title: 'Mod of multiples',
    nodes: [node('m = Mul(x, ten)'), node('t = Floor(m)'), node('y = Mod(t, c)', { fmod: int(1) })],
    constants: { c: floatTensor([], [3]), ten: floatTensor([], [10]) },
    opsets: [10],
    ...{ shape: 2, jumps: true },
  },
  {
    title: 'Where',
    nodes: [node('b = Less(x, c)'), node('y = Where(b, x, z)')],
    constants: { c: constant(6, 1, 1) },
    opsets: [9],
    ...{ shape: 4, jumps: true },
  },
  {
    title: 'Where of images, broadcast',
    nodes: [node('b = Less(x, c)'), node('y = Where(b, d, e)')],
    constants: { c: constant(6, 1, 1), d: constant(1), e: constant(2, 1, 1, 4, 1) },
    opsets: [9],
    jumps: true,
  },
];

checkFamily('functions of several values', cases);
