import { floatTensor, intTensor } from '../../../src/common/tensor.ts';
import { float, int, ints, type NodeSpec } from '../../support/onnx-builder.ts';
import { createRng } from '../../support/rng.ts';
import { node } from '../models.ts';
import { checkFamily } from './check-family.ts';
import type { OperatorCase } from './check-operators.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

const REDUCTIONS = [
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd'],
  ...['ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSumExp'],
];

/** Along these axes of a shape; one axis, several apart, side by side, from the end, out of order. */
const AXES: readonly [shape: NonNullable<OperatorCase['shape']>, axes: readonly number[]][] = [
  ['image', [2, 3]],
  ['image', [1]],
  ['image', [-1]],
  ['image', [3, 0]],
  ['image', [1, 3]],
  [1, [0]],
  [2, [1]],
  [3, [-2]],
  [3, [0, 1, 2]],
  [5, [0, 2, 4]],
  [5, [1, 2]],
];

/** With axes as the operator set has them: an attribute, since 18 (ReduceSum 13) an input. */
function reductions(op: string): OperatorCase[] {
  const input = op === 'ReduceSum' ? 13 : 18;
  const both = (
    title: string,
    own: Partial<OperatorCase>,
    axes: readonly number[],
    attributes: Attributes,
  ): OperatorCase[] => [
    { ...own, title, nodes: [node(`y = ${op}(x)`, { ...attributes, axes: ints(axes) })], opsets: [7, input - 1] },
    {
      ...own,
      title,
      nodes: [node(`y = ${op}(x, axes)`, attributes)],
      constants: { axes: intTensor([axes.length], axes) },
      opsets: [input],
    },
  ];
  return [
    ...AXES.flatMap(([shape, axes], i) => {
      // negative axes came with operator set 11
      const keep: Attributes = i % 3 === 0 ? {} : { keepdims: int(i % 2) };
      return both(`${op} along ${axes} of ${shape}`, { shape }, axes, keep).map((each) =>
        axes.some((axis) => axis < 0)
          ? { ...each, opsets: [Math.max(11, each.opsets![0]), each.opsets![1] ?? 21] as const }
          : each,
      );
    }),
    { title: `${op} of all`, nodes: [node(`y = ${op}(x)`, { keepdims: int(0) })], shape: 3 },
    {
      title: `${op} of none`,
      nodes: [node(`y = ${op}(x)`, { noop_with_empty_axes: int(1) })],
      shape: 3,
      opsets: [input],
    },
  ];
}

const cases: OperatorCase[] = [
  ...REDUCTIONS.flatMap(reductions),
  {
    title: 'ReduceLogSum',
    nodes: [node('p = Exp(x)'), node('y = ReduceLogSum(p)', { axes: ints([1]) })],
    shape: 3,
    opsets: [7, 17],
  },
  {
    title: 'ReduceLogSum',
    nodes: [node('p = Exp(x)'), node('y = ReduceLogSum(p, axes)')],
    constants: { axes: intTensor([1], [1]) },
    shape: 3,
    opsets: [18],
  },
  ...['ArgMax', 'ArgMin'].flatMap((op): OperatorCase[] =>
    [
      { shape: 4, since: 7, attributes: {} },
      { shape: 4, since: 7, attributes: { axis: int(1), keepdims: int(0) } },
      { shape: 5, since: 11, attributes: { axis: int(-2) } },
      { shape: 2, since: 7, attributes: { axis: int(1) } },
      { shape: 3, since: 12, attributes: { axis: int(2), select_last_index: int(1) } },
    ].map(({ shape, since, attributes }) => ({
      title: `${op} ${Object.keys(attributes)}`,
      // of which many are equal
      nodes: [node('f = Floor(x)'), node(`y = ${op}(f)`, attributes)],
      opsets: [since],
      type: 'int64',
      shape: shape as 2,
      jumps: true,
    })),
  ),
  ...([1, 2, 3, 4, 5] as const).flatMap((shape): OperatorCase[] => [
    {
      title: `LogSoftmax of rank ${shape}`,
      nodes: [node('y = LogSoftmax(x)', { axis: int(shape > 2 ? 2 : 0) })],
      shape,
    },
    {
      title: `LpNormalization of rank ${shape}`,
      nodes: [node('y = LpNormalization(x)', { axis: int(shape > 2 ? 1 : 0) })],
      shape,
    },
  ]),
  { title: 'LogSoftmax', nodes: [node('y = LogSoftmax(x)')] },
  { title: 'LpNormalization', nodes: [node('y = LpNormalization(x)')] },
  { title: 'LpNormalization by sums', nodes: [node('y = LpNormalization(x)', { p: int(1), axis: int(-1) })] },
  { title: 'LpNormalization of zeros', nodes: [node('o = Sub(x, x)'), node('y = LpNormalization(o)')], shape: 3 },
  ...(
    [
      ['image', -1, [5]],
      ['image', 1, [6, 4, 5]],
      [3, 2, [20]],
      [2, 1, [120]],
      [5, -2, [4, 5]],
    ] as const
  ).flatMap(([shape, axis, dims]): OperatorCase[] => {
    const size = dims.reduce<number>((product, dim) => product * dim, 1);
    const rng = createRng(size);
    const constants = { s: floatTensor(dims, rng.floats(size)), b: floatTensor(dims, rng.floats(size)) };
    const attributes = { axis: int(axis), epsilon: float(1e-3) };
    return [
      {
        title: `LayerNormalization from ${axis} of ${shape}`,
        nodes: [node('y = LayerNormalization(x, s, b)', attributes)],
        constants,
        shape,
        opsets: [17],
      },
      {
        title: `LayerNormalization without shift`,
        nodes: [node('y = LayerNormalization(x, s)', { axis: int(axis) })],
        constants,
        shape,
        opsets: [17],
      },
    ];
  }),
];

checkFamily('reductions and norms', cases);
