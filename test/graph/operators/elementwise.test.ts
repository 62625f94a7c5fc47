import { floatTensor } from '../../../src/common/tensor.ts';
import { float, type NodeSpec, text } from '../../support/onnx-builder.ts';
import { node } from '../models.ts';
import { checkFamily } from './check-family.ts';
import type { OperatorCase } from './check-operators.ts';

const scalar = (value: number) => floatTensor([], [value]);

/** Of any number. */
const ANYWHERE: readonly (readonly [op: string, since: number])[] = [
  ...([
    ['Exp', 7],
    ['Abs', 7],
    ['Neg', 7],
    ['Erf', 9],
    ['HardSwish', 14],
    ['HardSigmoid', 7],
  ] as const),
  ...([
    ['Elu', 7],
    ['Selu', 7],
    ['Softplus', 7],
    ['Softsign', 7],
    ['Mish', 18],
    ['Gelu', 20],
  ] as const),
  ...([
    ['Sin', 7],
    ['Cos', 7],
    ['Tanh', 7],
  ] as const),
];
/** Whose results jump where a number changes little. */
const JUMPING: readonly [op: string, since: number][] = [
  ['Floor', 7],
  ['Ceil', 7],
  ['Round', 11],
  ['Sign', 9],
];
/** Of positive numbers. */
const POSITIVE = ['Log', 'Sqrt', 'Reciprocal'];

const ATTRIBUTES: readonly [op: string, since: number, attributes: NonNullable<NodeSpec['attributes']>][] = [
  ['HardSigmoid', 7, { alpha: float(0.4), beta: float(0.1) }],
  ['Elu', 7, { alpha: float(0.3) }],
  ['Selu', 7, { alpha: float(0.7), gamma: float(2) }],
  ['Gelu', 20, { approximate: text('tanh') }],
  ['Gelu', 20, { approximate: text('none') }],
];

const cases: OperatorCase[] = [
  ...ANYWHERE.map(([op, since]): OperatorCase => ({ title: op, nodes: [node(`y = ${op}(x)`)], opsets: [since] })),
  ...JUMPING.map(
    ([op, since]): OperatorCase => ({
      title: op,
      nodes: [node(`y = ${op}(x)`)],
      opsets: [since],
      shape: 4,
      jumps: true,
    }),
  ),
  ...ATTRIBUTES.map(
    ([op, since, attributes]): OperatorCase => ({
      title: `${op} with ${Object.keys(attributes)}`,
      nodes: [node(`y = ${op}(x)`, attributes)],
      opsets: [since],
    }),
  ),
  ...POSITIVE.map(
    (op): OperatorCase => ({
      title: op,
      nodes: [node('a = Abs(x)'), node('p = Add(a, tenth)'), node(`y = ${op}(p)`)],
      constants: { tenth: scalar(0.1) },
    }),
  ),
  // infinity in the lanes beyond the last channel would show
  ...POSITIVE.map(
    (op): OperatorCase => ({
      title: `${op} before a convolution`,
      nodes: [node('a = Abs(x)'), node('p = Add(a, tenth)'), node(`f = ${op}(p)`), node('y = Conv(f, w)')],
      constants: {
        tenth: floatTensor([6, 1, 1], new Array(6).fill(0.1)),
        w: floatTensor([3, 6, 1, 1], new Array(18).fill(0.5)),
      },
    }),
  ),
  ...([1, 2, 3, 4, 5] as const).map(
    (shape): OperatorCase => ({ title: `Exp of rank ${shape}`, nodes: [node('y = Exp(x)')], shape }),
  ),
  ...[2, 3, 0.5, 1, -1, 1.7].map(
    (exponent): OperatorCase => ({
      title: `Pow by ${exponent}`,
      nodes: [node('a = Abs(x)'), node('p = Add(a, tenth)'), node('y = Pow(p, e)')],
      constants: { tenth: scalar(0.1), e: scalar(exponent) },
    }),
  ),
  ...[2, 3, -2, 0].map(
    (exponent): OperatorCase => ({
      title: `Pow of any number by ${exponent}`,
      nodes: [node('f = Floor(x)'), node('p = Add(f, half)'), node('y = Pow(p, e)')],
      constants: { half: scalar(0.5), e: floatTensor([1], [exponent]) },
      shape: 4,
      jumps: true,
    }),
  ),
  {
    title: 'Not',
    nodes: [node('b = Greater(x, half)'), node('y = Not(b)')],
    constants: { half: scalar(0.5) },
    opsets: [9],
    ...{ shape: 4, type: 'bool', jumps: true },
  },
  {
    title: 'Sin and Cos far from zero',
    nodes: [node('f = Mul(x, far)'), node('s = Sin(f)'), node('c = Cos(f)'), node('y = Add(s, c)')],
    constants: { far: scalar(50) },
    shape: 2,
  },
];

checkFamily('functions of one value', cases);
