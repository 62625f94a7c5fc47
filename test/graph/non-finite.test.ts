import { describe, expect, it } from 'vitest';
import { floatTensor, intTensor, sizeOf } from '../../src/common/tensor.ts';
import { createNetwork } from '../../src/index.node.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel, float, int, ints, type NodeSpec, text } from '../support/onnx-builder.ts';
import { runOrtInOrder } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';
import { node } from './models.ts';

const VALUES = [NaN, Infinity, -Infinity, 1, -1, 0, 100, -100];

const OF_ONE = [
  ...['Exp', 'Log', 'Sqrt', 'Abs', 'Neg', 'Reciprocal', 'Floor', 'Ceil', 'Round', 'Sign', 'Erf', 'Gelu', 'HardSwish'],
  ...['HardSigmoid', 'Elu', 'Selu', 'Softplus', 'Softsign', 'Mish', 'Sin', 'Cos'],
];
const OF_TWO = ['Min', 'Max', 'Mean', 'Sum', 'Pow'];
const REDUCTIONS = [
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2'],
  ...['ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp'],
];

/** What of a number onnxruntime decides. */
function kindOf(value: number): string {
  return Number.isFinite(value) ? 'finite' : String(value);
}

/** One output of both, for one input of this shape. */
async function run(bytes: Uint8Array, dims: readonly [number, number, number, number], data: Float32Array) {
  const { device } = await openGpu();
  const expected = Object.fromEntries(
    await runOrtInOrder(bytes, { dims, data }, { graphOptimizationLevel: 'disabled' }),
  );
  await using network = await createNetwork(bytes, { inputShape: dims, device });
  const actual = await network.run(data);
  return { expected, actual };
}

describe('numbers that are not finite come out as onnxruntime’s', () => {
  const identity = floatTensor([4, 4, 1, 1], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
  it.each<[string, NodeSpec[]]>([
    ['Relu', [node('y = Relu(x)')]],
    ['LeakyRelu', [node('y = LeakyRelu(x)')]],
    ['Clip', [node('y = Clip(x, low, high)')]],
    ['Clip from below', [node('y = Clip(x, low)')]],
    ['Sigmoid', [node('y = Sigmoid(x)')]],
    ['Tanh', [node('y = Tanh(x)')]],
    ['PRelu', [node('y = PRelu(x, low)')]],
    ['Softmax', [node('y = Softmax(x)')]],
    ['Add', [node('y = Add(x, low)')]],
    ['Mul', [node('y = Mul(x, x)')]],
    ['MaxPool', [node('y = MaxPool(x)', { kernel_shape: ints([1, 3]) })]],
    ['AveragePool', [node('y = AveragePool(x)', { kernel_shape: ints([1, 3]) })]],
    ['GlobalMaxPool', [node('y = GlobalMaxPool(x)')]],
    ['GlobalAveragePool', [node('y = GlobalAveragePool(x)')]],
    ['BatchNormalization', [node('y = BatchNormalization(x, ones, ones, ones, ones)', { epsilon: float(1) })]],
    ['InstanceNormalization', [node('y = InstanceNormalization(x, ones, ones)')]],
    ['Transpose', [node('y = Transpose(x)')]],
    ['Conv', [node('y = Conv(x, w)')]],
    ['Conv and Relu', [node('c = Conv(x, w)'), node('y = Relu(c)')]],
    ['Conv and Clip', [node('c = Conv(x, w)'), node('y = Clip(c, low, high)')]],
    ['Conv and Sigmoid', [node('c = Conv(x, w)'), node('y = Sigmoid(c)')]],
    ...OF_ONE.map((op): [string, NodeSpec[]] => [op, [node(`y = ${op}(x)`)]]),
    ['Gelu by Tanh', [node('y = Gelu(x)', { approximate: text('tanh') })]],
    ...OF_TWO.flatMap((op): [string, NodeSpec[]][] => [
      [`${op} of a constant`, [node(`y = ${op}(high, x)`)]],
      [`${op} by a constant`, [node(`y = ${op}(x, high)`)]],
      [`${op} of itself`, [node(`y = ${op}(x, x)`)]],
    ]),
    ...['Less', 'GreaterOrEqual', 'Equal'].map((op): [string, NodeSpec[]] => [
      op,
      [node(`b = ${op}(x, high)`), node('n = Not(b)'), node('y = Where(n, x, low)')],
    ]),
    ['Pow by a root', [node('y = Pow(x, half)')]],
    ['Pow by 0', [node('y = Pow(x, zero)')]],
    ['Mod', [node('y = Mod(x, high)', { fmod: int(1) })]],
    ['Mod by numbers', [node('y = Mod(high, x)', { fmod: int(1) })]],
    ...REDUCTIONS.flatMap((op): [string, NodeSpec[]][] => [
      [`${op} along rows`, [node(`y = ${op}(x, last)`)]],
      [`${op} along channels`, [node(`y = ${op}(x, channels)`)]],
    ]),
    ['LogSoftmax', [node('y = LogSoftmax(x)')]],
    ['LpNormalization', [node('y = LpNormalization(x)')]],
    ['LayerNormalization', [node('y = LayerNormalization(x, row)')]],
    ['MatMul', [node('y = MatMul(x, square)')]],
    ['Gemm', [node('f = Flatten(x)', { axis: int(3) }), node('g = Gemm(f, square, row)'), node('y = Relu(g)')]],
  ])('%s', async (_, nodes) => {
    const bytes = buildModel({
      opset: 20,
      irVersion: 9,
      inputs: [{ name: 'x', dims: [1, 4, 1, VALUES.length] }],
      outputs: ['y'],
      nodes,
      initializers: {
        w: identity,
        low: floatTensor([], [-2]),
        high: floatTensor([], [2]),
        ones: floatTensor([4], [1, 1, 1, 1]),
        half: floatTensor([], [0.5]),
        zero: floatTensor([], [0]),
        row: floatTensor([8], new Array<number>(8).fill(1)),
        square: floatTensor([8, 8], new Array<number>(64).fill(1)),
        last: intTensor([1], [3]),
        channels: intTensor([1], [1]),
      },
    });
    // a channel of each value at a time, and one of all
    const rows = [[...VALUES], [NaN, 1, 2, 3, 4, 5, 6, 7], VALUES.map(() => 1), VALUES.map(() => -1)];
    const { actual, expected } = await run(bytes, [1, 4, 1, VALUES.length], Float32Array.from(rows.flat()));
    const [ours, theirs] = [actual, expected].map(({ y }) => Array.from(y!.data, kindOf));
    expect(ours).toEqual(theirs);
  });

  it('an SCRFD network of NaN', async () => {
    const dims = [1, 3, 64, 64] as const;
    const { actual, expected } = await run(smallModel(), dims, new Float32Array(sizeOf(dims)).fill(NaN));
    for (const [name, { data }] of Object.entries(expected)) {
      expect(data.every(Number.isNaN), `${name} of onnxruntime`).toBe(true);
      expect(actual[name]!.data.every(Number.isNaN), name).toBe(true);
    }
  });

  it('one NaN reaches what onnxruntime lets it reach', async () => {
    const dims = [1, 3, 96, 96] as const;
    const data = createRng(1).floats(sizeOf(dims));
    data[0] = NaN;
    const { actual, expected } = await run(smallModel(), dims, data);
    for (const [name, tensor] of Object.entries(expected)) {
      expect(Array.from(actual[name]!.data, kindOf), name).toEqual(Array.from(tensor.data, kindOf));
    }
  });
});
