import { describe, expect, it } from 'vitest';
import { toHalf, widenBfloat16, widenFloat16 } from '../../src/common/float16.ts';
import { type Dims, floatTensor, formatDims, sizeOf } from '../../src/common/tensor.ts';
import { createNetwork, type NetworkOptions } from '../../src/index.node.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel, ints, type ModelSpec } from '../support/onnx-builder.ts';
import { type OrtTensor, runOrt } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';

const rng = createRng(4);
const random = (...dims: number[]): OrtTensor => ({ dims, data: rng.floats(sizeOf(dims)) });

async function expectAsOrt(spec: ModelSpec, feeds: Readonly<Record<string, OrtTensor>>): Promise<void> {
  const { device } = await openGpu();
  const bytes = buildModel(spec);
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
  const data = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, tensor.data]));
  await using network = await createNetwork(bytes, { inputShapes: shapes, device });
  expect(network.inputNames).toEqual(spec.inputs!.map(({ name }) => name));
  const actual = await network.run(data);
  for (const [name, tensor] of Object.entries(await runOrt(bytes, feeds))) {
    expect(formatDims(actual[name]!.dims), name).toBe(formatDims(tensor.dims));
    expectClose(actual[name]!.data, tensor.data, { abs: 1e-5, reason: `${name}: sums of few products` });
  }
}

describe('a network takes', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('an input of %i dimensions', async (rank) => {
    const dims = [2, 3, 1, 2, 3, 1, 2, 2].slice(0, rank);
    const spec = {
      inputs: [{ name: 'x', dims: dims.map((dim, i) => (i % 2 === 0 ? dim : 'any')) }],
      outputs: ['y'],
      nodes: [
        { op: 'Mul', inputs: ['x', 'two'], outputs: ['m'] },
        { op: 'Add', inputs: ['m', 'x'], outputs: ['y'] },
      ],
      initializers: { two: floatTensor([], [2]) },
    };
    await expectAsOrt(spec, { x: random(...dims) });
  });

  it('images whose channels come last, of one channel, beside numbers by name', async () => {
    const spec: ModelSpec = {
      inputs: [
        { name: 'rows', dims: ['n', 6, 5, 3] },
        { name: 'grey', dims: ['n', 1, 6, 5] },
        { name: 'gain', dims: ['n', 4] },
        { name: 'offset', dims: [] },
      ],
      outputs: ['last', 'sum'],
      nodes: [
        { op: 'Transpose', inputs: ['rows'], outputs: ['image'], attributes: { perm: ints([0, 3, 1, 2]) } },
        { op: 'Conv', inputs: ['image', 'w'], outputs: ['c'], attributes: { pads: ints([1, 1, 1, 1]) } },
        { op: 'Conv', inputs: ['grey', 'v'], outputs: ['d'] },
        { op: 'Add', inputs: ['c', 'd'], outputs: ['e'] },
        { op: 'Unsqueeze', inputs: ['gain'], outputs: ['wide'], attributes: { axes: ints([2, 3]) } },
        { op: 'Mul', inputs: ['e', 'wide'], outputs: ['f'] },
        { op: 'Add', inputs: ['f', 'offset'], outputs: ['sum'] },
        { op: 'Transpose', inputs: ['sum'], outputs: ['last'], attributes: { perm: ints([0, 2, 3, 1]) } },
      ],
      initializers: {
        w: floatTensor([4, 3, 3, 3], rng.floats(108)),
        v: floatTensor([4, 1, 1, 1], rng.floats(4)),
      },
    };
    for (const n of [1, 3]) {
      const feeds = { rows: random(n, 6, 5, 3), grey: random(n, 1, 6, 5), gain: random(n, 4), offset: random() };
      await expectAsOrt(spec, feeds);
    }
  });
});

/** Bits of the upper halves of float32 numbers. */
const toBfloat16 = (values: Float32Array) =>
  Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16);

const halves = toHalf(rng.floats(4 * 3 * 9));
const quarters = toBfloat16(rng.floats(4 * 3 * 9));
const doubles = Float64Array.from(rng.floats(4 * 3 * 9));

it.each([
  ['float16', 10, halves, widenFloat16(halves)],
  ['bfloat16', 16, quarters, widenBfloat16(quarters)],
  ['float64', 11, doubles, Float32Array.from(doubles)],
] as const)('a file of %s is that of the float32 that it means', async (type, dataType, stored, meant) => {
  const specOf = (typed: boolean): ModelSpec => ({
    opset: 13,
    irVersion: 8,
    inputs: [{ name: 'x', dims: [1, 3, 6, 5], type: typed ? type : 'float32' }],
    outputs: [{ name: 'y', type: typed ? type : 'float32' }],
    nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'], attributes: { pads: ints([1, 1, 1, 1]) } }],
    initializers: {
      w: typed
        ? { dims: [4, 3, 3, 3], dataType, rawData: new Uint8Array(stored.buffer) }
        : floatTensor([4, 3, 3, 3], meant),
    },
  });
  const x = random(1, 3, 6, 5);
  const { device } = await openGpu();
  await using network = await createNetwork(buildModel(specOf(true)), { inputShape: x.dims, device });
  const expected = await runOrt(buildModel(specOf(false)), { x });
  expectClose((await network.run(x.data)).y!.data, expected.y!.data, { abs: 1e-5, reason: 'sums of 27 products' });
});

describe('a network refuses', () => {
  const file = (...inputs: (readonly [name: string, dims: Dims, type?: 'float32' | 'int64'])[]) =>
    buildModel({
      inputs: inputs.map(([name, dims, type = 'float32']) => ({ name, dims, type })),
      outputs: ['y'],
      nodes: [{ op: 'Relu', inputs: [inputs[0]![0]], outputs: ['y'] }],
    });
  const two = file(['a', [2]], ['b', [3, 2]]);

  it.each<[string, Uint8Array, Omit<NetworkOptions, 'device'>, string]>([
    ['no shape', two, {}, 'inputShape: expected a shape, or inputShapes of several inputs, got neither'],
    ['one for two', two, { inputShape: [2] }, 'model: expected one input, got "a", "b"'],
    ['both', two, { inputShape: [2], inputShapes: {} }, 'inputShapes: expected in place of inputShape, got both'],
    ['another name', two, { inputShapes: { a: [2], c: [2] } }, 'model: expected shapes of "a", "b", got "a", "c"'],
    ['another shape', two, { inputShapes: { a: [2], b: [2, 2] } }, 'input "b" is fixed at 3×2 in the file, got 2×2'],
    [
      'another batch of several',
      two,
      { inputShapes: { a: [3], b: [3, 2] } },
      'input "a" is fixed at 2 in the file, got 3',
    ],
    [
      'no whole number',
      two,
      { inputShapes: { a: [0.5], b: [3, 2] } },
      'inputShapes: "a": expected up to 8 positive integers, as [n, c, h, w], got [0.5]',
    ],
    ['integers', file(['a', [2], 'int64']), { inputShape: [2] }, 'input "a": expected floats, got int64'],
    [
      'nine dimensions',
      two,
      { inputShape: [1, 1, 1, 1, 1, 1, 1, 1, 1] },
      'inputShape: expected up to 8 positive integers',
    ],
  ])('%s', async (_, bytes, options, message) => {
    const { device } = await openGpu();
    await expect(createNetwork(bytes, { ...options, device })).rejects.toThrow(message);
  });

  it('other numbers than its inputs have', async () => {
    const { device } = await openGpu();
    await using network = await createNetwork(two, { inputShapes: { a: [2], b: [3, 2] }, device });
    const [a, b] = [new Float32Array(2), new Float32Array(6)];
    const cases: [unknown, string][] = [
      [a, 'input: expected one for each of "a", "b", got one Float32Array'],
      [[a, b], 'input: expected one for each of "a", "b", got Array'],
      [{ a }, 'input "b": expected a Float32Array, got Undefined'],
      [{ a, b: [1, 2, 3, 4, 5, 6] }, 'input "b": expected a Float32Array, got Array'],
      [{ a, b: a }, 'input "b": expected 6 elements (3×2), got 2'],
      [{ a, b, c: a }, 'input "c": the model has none of this name, it has "a", "b"'],
    ];
    for (const [given, message] of cases) {
      await expect(network.run(given as Float32Array), message).rejects.toThrow(message);
    }
    const shapes = network.run({ a, b }, { inputShapes: { a: [2] } });
    await expect(shapes).rejects.toThrow('inputShapes: expected a shape of "b", got none');
    expect((await network.run({ b, a: Float32Array.of(-1, 2) })).y!.data).toEqual(Float32Array.of(0, 2));
  });
});
