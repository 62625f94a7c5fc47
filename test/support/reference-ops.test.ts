import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { expectClose } from './compare.ts';
import { type OrtTensor, runOrt } from './ort.ts';
import * as ops from './reference-ops.ts';
import { createRng, type Rng } from './rng.ts';

const { onnx } = onnxProto;
const { AttributeType } = onnx.AttributeProto;
const { FLOAT, INT64 } = onnx.TensorProto.DataType;

type Input = OrtTensor | { readonly dims: readonly number[]; readonly data: BigInt64Array };
type Attribute = number | string | readonly number[];

/** Runs a model of one node. */
async function onnxruntime(
  op: string,
  inputs: readonly Input[],
  attributes: Readonly<Record<string, Attribute>> = {},
  opset = 13,
): Promise<OrtTensor> {
  const type = (elemType: number, dims?: readonly number[]) => ({
    tensorType: { elemType, ...(dims && { shape: { dim: dims.map((dimValue) => ({ dimValue })) } }) },
  });
  const names = inputs.map((_, i) => `x${i}`);
  const [x, ...constants] = inputs as [OrtTensor, ...Input[]];
  const model = onnx.ModelProto.encode({
    irVersion: 7,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: op,
      node: [
        { opType: op, name: op, input: names, output: ['y'], attribute: Object.entries(attributes).map(attribute) },
      ],
      input: [{ name: 'x0', type: type(FLOAT, x.dims) }],
      output: [{ name: 'y', type: type(FLOAT) }],
      initializer: constants.map(({ dims, data }, i) => ({
        name: names[i + 1]!,
        dims: [...dims],
        dataType: data instanceof Float32Array ? FLOAT : INT64,
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
    },
  }).finish();
  const { y } = await runOrt(model, { x0: x });
  return y!;
}

function attribute([name, value]: [string, Attribute]) {
  if (typeof value === 'string') return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  if (typeof value !== 'number') return { name, type: AttributeType.INTS, ints: [...value] };
  // By name, because 1 and 1.0 are the same number here.
  if (name === 'alpha' || name === 'epsilon') return { name, type: AttributeType.FLOAT, f: value };
  return { name, type: AttributeType.INT, i: value };
}

function random(rng: Rng, dims: readonly number[], lo = -1, hi = 1): OrtTensor {
  return {
    dims,
    data: rng.floats(
      dims.reduce((a, b) => a * b, 1),
      lo,
      hi,
    ),
  };
}

function ints(...values: number[]): Input {
  return { dims: [values.length], data: BigInt64Array.from(values, BigInt) };
}

const none: OrtTensor = { dims: [0], data: new Float32Array(0) };

function expectSame(actual: ops.Ref, expected: OrtTensor, what: object): void {
  const reason = `float64 against float32: ${JSON.stringify(what)}`;
  expect(actual.dims, reason).toEqual(expected.dims);
  expectClose(actual.data, expected.data, { abs: 1e-5, rel: 1e-5, reason });
}

type Pair = [number, number];
type Pads = [number, number, number, number];

it('conv2d', async () => {
  const rng = createRng(1);
  const pair = (lo: number, hi: number): Pair => [rng.int(lo, hi), rng.int(lo, hi)];
  for (let i = 0; i < 60; i++) {
    const group = rng.pick([1, 1, 2, 4]);
    const perGroup = rng.int(1, 3);
    const [kh, kw] = pair(1, 4);
    const strides = pair(1, 3);
    const dilations = pair(1, 2);
    const pads: Pads = [...pair(0, 2), ...pair(0, 2)];
    const x = random(rng, [rng.int(1, 2), group * perGroup, ...pair(7, 12)]);
    const weight = random(rng, [group * rng.int(1, 3), perGroup, kh, kw]);
    const bias = rng.int(0, 1) ? random(rng, [weight.dims[0]!]) : null;
    const y = await onnxruntime('Conv', bias ? [x, weight, bias] : [x, weight], { strides, pads, dilations, group });
    const options = { strides, pads, dilations, group };
    expectSame(ops.conv2d(x, weight, bias, options), y, { x: x.dims, weight: weight.dims, ...options });
  }
});

describe('pools, with clipped windows', () => {
  it.each([
    ['MaxPool', 11],
    ['AveragePool', 11],
    ['AveragePool', 19],
  ])('%s of opset %i', async (op, opset) => {
    const rng = createRng(opset);
    let clipped = 0;
    for (let i = 0; i < 150; i++) {
      const kernel: Pair = [rng.int(1, 4), rng.int(1, 4)];
      const strides: Pair = [rng.int(1, 4), rng.int(1, 4)];
      const pads = [...kernel, ...kernel].map((k) => rng.int(0, k - 1)) as Pads;
      const x = random(rng, [1, 2, rng.int(3, 9), rng.int(3, 9)]);
      const options = { kernel, strides, pads, ceilMode: rng.int(0, 1) === 1, countIncludePad: rng.int(0, 1) === 1 };
      const attributes = { kernel_shape: kernel, strides, pads, ceil_mode: Number(options.ceilMode) };
      const isMax = op === 'MaxPool';
      const y = await onnxruntime(
        op,
        [x],
        isMax ? attributes : { ...attributes, count_include_pad: Number(options.countIncludePad) },
        opset,
      );
      expectSame(isMax ? ops.maxPool(x, options) : ops.averagePool(x, options), y, { x: x.dims, ...options });
      const beyond = (axis: 0 | 1) =>
        (y.dims[axis + 2]! - 1) * strides[axis] + kernel[axis] > x.dims[axis + 2]! + pads[axis] + pads[axis + 2]!;
      if (options.countIncludePad && (beyond(0) || beyond(1))) clipped++;
    }
    expect(clipped).toBeGreaterThan(3);
  });

  it('the pools of SCRFD: 2×2/2, ceil_mode 1, on odd sizes', async () => {
    const x = random(createRng(3), [1, 3, 5, 7]);
    for (const countIncludePad of [false, true]) {
      const attributes = { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1, count_include_pad: +countIncludePad };
      const y = await onnxruntime('AveragePool', [x], attributes, 11);
      expect(y.dims).toEqual([1, 3, 3, 4]);
      expectSame(
        ops.averagePool(x, { kernel: [2, 2], strides: [2, 2], ceilMode: true, countIncludePad }),
        y,
        attributes,
      );
    }
  });

  it('global', async () => {
    const x = random(createRng(4), [2, 3, 5, 4]);
    expectSame(ops.globalAveragePool(x), await onnxruntime('GlobalAveragePool', [x]), {});
    expectSame(ops.globalMaxPool(x), await onnxruntime('GlobalMaxPool', [x]), {});
  });
});

describe('resize', () => {
  const coordinateModes = ['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners'] as const;
  const nearestModes = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'] as const;
  const cases = coordinateModes.flatMap((coordinates) => [
    ...nearestModes.map((nearest) => ({ mode: 'nearest' as const, coordinates, nearest })),
    { mode: 'linear' as const, coordinates },
  ]);

  it.each(cases)('$mode $coordinates $nearest', async (options) => {
    const rng = createRng(5);
    const attributes = {
      mode: options.mode,
      coordinate_transformation_mode: options.coordinates,
      ...('nearest' in options && { nearest_mode: options.nearest }),
    };
    for (let i = 0; i < 60; i++) {
      const opset = rng.pick([11, 13, 19]);
      const x = random(rng, [1, rng.int(1, 2), rng.int(1, 9), rng.int(1, 9)]);
      const bySizes = [...x.dims.slice(0, 2), rng.int(1, 15), rng.int(1, 15)];
      const sized = await onnxruntime('Resize', [x, none, none, ints(...bySizes)], attributes, opset);
      expectSame(ops.resize(x, bySizes, options), sized, { x: x.dims, bySizes, ...options });

      const factor = () => rng.pick([0.5, 2, 3, rng.uniform(0.4, 3)]);
      const scales = Float32Array.of(1, 1, factor(), factor());
      const sizes = ops.scaledSizes(x.dims, [...scales]);
      // onnxruntime copies when no size changes, whatever the scales, and refuses empty outputs.
      if (sizes.includes(0) || sizes.join() === x.dims.join()) continue;
      const scaled = await onnxruntime('Resize', [x, none, { dims: [4], data: scales }], attributes, opset);
      expectSame(ops.resize(x, sizes, { ...options, scales: [...scales] }), scaled, { x: x.dims, scales, ...options });
    }
  });
});

it('binary operators broadcast', async () => {
  const rng = createRng(6);
  const shapes: [number[], number[]][] = [
    [
      [2, 3, 4, 5],
      [2, 3, 4, 5],
    ],
    [
      [2, 3, 4, 5],
      [3, 1, 1],
    ],
    [
      [2, 3, 1, 5],
      [1, 1, 4, 1],
    ],
    [
      [3, 1],
      [2, 1, 4],
    ],
    [[1, 3, 2, 2], []],
  ];
  const table = { Add: ops.add, Sub: ops.sub, Mul: ops.mul, Div: ops.div };
  for (const [p, q] of shapes) {
    for (const [op, reference] of Object.entries(table)) {
      const a = random(rng, p);
      const b = random(rng, q, 0.5, 2);
      expectSame(reference(a, b), await onnxruntime(op, [a, b]), { op, p, q });
    }
  }
  expect(() => ops.add(random(rng, [2, 3]), random(rng, [2, 2]))).toThrow('do not broadcast');
});

it('activations', async () => {
  const rng = createRng(7);
  const x = random(rng, [2, 3, 4, 5], -4, 4);
  const slope = random(rng, [3, 1, 1]);
  const min: OrtTensor = { dims: [], data: Float32Array.of(-0.5) };
  const max: OrtTensor = { dims: [], data: Float32Array.of(6) };
  expectSame(ops.relu(x), await onnxruntime('Relu', [x]), {});
  expectSame(ops.sigmoid(x), await onnxruntime('Sigmoid', [x]), {});
  expectSame(ops.leakyRelu(x), await onnxruntime('LeakyRelu', [x]), {});
  expectSame(ops.leakyRelu(x, 0.25), await onnxruntime('LeakyRelu', [x], { alpha: 0.25 }), {});
  expectSame(ops.clip(x, -0.5, 6), await onnxruntime('Clip', [x, min, max]), {});
  expectSame(ops.clip(x, -0.5), await onnxruntime('Clip', [x, min]), {});
  expectSame(ops.prelu(x, slope), await onnxruntime('PRelu', [x, slope]), {});
});

it('softmax, concat, transpose', async () => {
  const rng = createRng(8);
  const x = random(rng, [2, 3, 4, 5], -4, 4);
  for (const axis of [-1, 0, 1, 2]) {
    expectSame(ops.softmax(x, axis), await onnxruntime('Softmax', [x], { axis }), { axis });
  }
  const others = [random(rng, [2, 1, 4, 5]), random(rng, [2, 6, 4, 5])];
  for (const axis of [1, -3]) {
    expectSame(ops.concat([x, ...others], axis), await onnxruntime('Concat', [x, ...others], { axis }), { axis });
  }
  for (const perm of [
    [0, 2, 3, 1],
    [2, 3, 0, 1],
    [3, 1, 0, 2],
  ]) {
    expectSame(ops.transpose(x, perm), await onnxruntime('Transpose', [x], { perm }), { perm });
  }
});

it('normalizations', async () => {
  const rng = createRng(9);
  const x = random(rng, [2, 6, 4, 5], -2, 3);
  const [scale, bias, mean] = [random(rng, [6]), random(rng, [6]), random(rng, [6])];
  const variance = random(rng, [6], 0.1, 2);
  expectSame(
    ops.batchNorm(x, scale.data, bias.data, mean.data, variance.data, 1e-3),
    await onnxruntime('BatchNormalization', [x, scale, bias, mean, variance], { epsilon: 1e-3 }),
    {},
  );
  expectSame(
    ops.instanceNorm(x, scale.data, bias.data, 1e-3),
    await onnxruntime('InstanceNormalization', [x, scale, bias], { epsilon: 1e-3 }),
    {},
  );
  expectSame(
    ops.groupNorm(x, 3, scale.data, bias.data, 1e-3),
    await onnxruntime('GroupNormalization', [x, scale, bias], { num_groups: 3, epsilon: 1e-3 }, 21),
    {},
  );
});
