import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { floatTensor, intTensor } from '../../src/common/tensor.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { float, int, tensor } from '../support/onnx-builder.ts';
import { modelOf, node, type SmallModel } from './models.ts';

const TARGET = await loadTarget({ software: true, subgroupSize: 4 });
const vector = (...values: number[]) => floatTensor([values.length], values);
const index = (...values: number[]) => intTensor([values.length], values);

async function compile(nodes: Parameters<typeof modelOf>[0], { dims = [1, 4, 8, 8], ...spec }: SmallModel = {}) {
  const model = await modelOf(nodes, spec);
  const start = process.cpuUsage();
  let result: unknown;
  try {
    result = compileNetwork(model, dims, TARGET);
  } catch (error) {
    result = error;
  }
  const { user, system } = process.cpuUsage(start);
  return { result, seconds: (user + system) / 1e6 };
}

describe('what constants and shapes ask for is counted before it is made', () => {
  const doubling = Array.from({ length: 40 }, (_, i) => node(`c${i + 1} = Concat(c${i}, c${i})`, { axis: int(0) }));
  test.each<[string, Parameters<typeof modelOf>[0], SmallModel, string]>([
    [
      'an outer sum',
      [node('s = Add(a, b)'), node('y = Add(x, s)')],
      {
        initializers: {
          a: floatTensor([3000, 1], new Float32Array(3000)),
          b: floatTensor([1, 3000], new Float32Array(3000)),
        },
      },
      'Add_0: Add of constants gives 3000×3000, and all such nodes more than 4218304 elements',
    ],
    [
      'a constant that is doubled and doubled',
      [...doubling, node('y = Add(x, c40)')],
      { initializers: { c0: vector(1) } },
      'Concat_21: Concat of constants gives 4194304, and all such nodes more than 4194308 elements',
    ],
    [
      'a filled shape',
      [node('c = ConstantOfShape(s)'), node('y = Add(x, c)')],
      { initializers: { s: index(10_000, 10_000) } },
      'ConstantOfShape_0: ConstantOfShape of constants gives 10000×10000, and all such nodes more than 4194312 elements',
    ],
    [
      'a filled shape of huge sides',
      [node('c = ConstantOfShape(s)'), node('y = Add(x, c)')],
      { initializers: { s: index(2 ** 50, 2 ** 50) } },
      'ConstantOfShape_0: ConstantOfShape of constants gives 1125899906842624×1125899906842624, and all such nodes more than 4194312 elements',
    ],
    [
      'picks of a constant',
      [node('c = Gather(w, i)'), node('d = Gather(c, i)', { axis: int(1) }), node('y = Add(x, d)')],
      { initializers: { w: floatTensor([2, 3], new Float32Array(6)), i: index(...new Array<number>(3000).fill(0)) } },
      'Gather_1: Gather of constants gives 3000×3000, and all such nodes more than 4206328 elements',
    ],
    [
      'a resize',
      [node('y = Resize(x, none, none, sizes)')],
      { initializers: { none: vector(), sizes: index(1, 4, 8, 10 ** 9) }, opset: 13 },
      'Resize_0: expected sides of at most 65536 pixels, got 8×1000000000',
    ],
    [
      'a value that no buffer holds',
      [node('y = Resize(x, none, none, sizes)')],
      { initializers: { none: vector(), sizes: index(1, 4, 60_000, 60_000) }, opset: 13 },
      'Resize_0: expected a value of at most 1073741824 elements, got 1×4×60000×60000',
    ],
    [
      'an input that no buffer holds',
      [node('y = Relu(x)')],
      { dims: [1, 3, 60_000, 60_000] },
      'input "x": expected a value of at most 1073741824 elements, got 1×3×60000×60000',
    ],
    [
      'nine dimensions',
      [node('y = Unsqueeze(x, axes)')],
      { initializers: { axes: index(0, 1, 2, 3, 4) }, opset: 13 },
      'Unsqueeze_0: expected at most 8 dimensions, got 9',
    ],
    [
      'a shape of nine dimensions',
      [node('s = ConstantOfShape(n)', { value: tensor(index(1)) }), node('y = Reshape(x, s)')],
      { initializers: { n: index(9) } },
      'Reshape_1: expected at most 8 dimensions, got 9',
    ],
    [
      'bounds that are no scalars',
      [node('y = Clip(x, low)')],
      { initializers: { low: floatTensor([2], [0, 1]) } },
      'Clip_0: expected a minimum of one element, got 2',
    ],
  ])('%s', async (_, nodes, spec, message) => {
    const { result, seconds } = await compile(nodes, spec);
    expect(result).toEqual(new ModelError(message));
    expect(seconds).toBeLessThan(1);
  });
});

describe('the compiler takes time in proportion to the nodes', () => {
  const chain = (count: number, op: string) =>
    Array.from({ length: count }, (_, i) => node(`v${i + 1} = ${op}(${i === 0 ? 'x' : `v${i}`})`));
  const all = (count: number) => Array.from({ length: count }, (_, i) => `v${i + 1}`);
  // of one node, some 30 µs; the rest is room for a busy machine
  const SECONDS = 2e-4;

  test.each<[string, number, Parameters<typeof modelOf>[0], SmallModel]>([
    ['a chain', 20_000, chain(20_000, 'Relu'), {}],
    ['a chain of copies that are all outputs', 20_000, chain(20_000, 'Identity'), { outputs: all(20_000) }],
    [
      'values that live at the same time',
      20_000,
      [
        ...Array.from({ length: 20_000 }, (_, i) => node(`v${i + 1} = Relu(x)`)),
        node(`y = Concat(${all(20_000).join(', ')})`, { axis: int(1) }),
      ],
      { dims: [1, 1, 1, 1] },
    ],
  ])('%s', async (_, count, nodes, spec) => {
    const { result, seconds } = await compile(nodes, spec);
    expect(result).not.toBeInstanceOf(Error);
    expect(seconds).toBeLessThan(count * SECONDS);
  });

  test('scaling large weights again and again', async () => {
    const channels = 512;
    const scales = Array.from({ length: 3000 }, (_, i) => node(`v${i + 1} = Mul(v${i}, s)`));
    const { result, seconds } = await compile([node('v0 = Conv(x, w)'), ...scales], {
      dims: [1, channels, 1, 1],
      initializers: {
        w: floatTensor([channels, channels, 1, 1], new Float32Array(channels ** 2)),
        s: floatTensor([], [1]),
      },
    });
    expect(result).not.toBeInstanceOf(Error);
    expect(seconds).toBeLessThan(4);
  });

  test('a constant that every node derives its own from', async () => {
    const channels = 20_000;
    const scale = floatTensor([channels], new Float32Array(channels).fill(1));
    const norms = Array.from({ length: 1000 }, (_, i) =>
      node(`v${i + 1} = BatchNormalization(${i === 0 ? 'x' : `v${i}`}, s, s, s, s)`, { epsilon: float(1) }),
    );
    const { result, seconds } = await compile(norms, { dims: [1, channels, 1, 1], initializers: { s: scale } });
    expect(result).toEqual(
      new ModelError(`constant "v855@affine": the kernels' constants have more than 34194432 elements`),
    );
    expect(seconds).toBeLessThan(4);
  });
});
