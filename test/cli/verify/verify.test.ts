import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareTensors } from '../../../src/cli/verify/compare-tensors.ts';
import { intermediateValues, runReference } from '../../../src/cli/verify/reference.ts';
import { floatTensor } from '../../../src/common/tensor.ts';
import { createNetwork } from '../../../src/index.node.ts';
import { loadModel } from '../../../src/loader/load-model.ts';
import { imageNamed, modelNamed, withData } from '../../support/data.ts';
import { openGpu } from '../../support/gpu.ts';
import { buildModel, ints, type ValueSpec } from '../../support/onnx-builder.ts';
import { createRng } from '../../support/rng.ts';
import { runHere } from '../run-here.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-verify-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Layers {
  /** What the first convolution's weights are multiplied with. */
  readonly gain?: number;
  readonly channels?: number;
  readonly type?: ValueSpec['type'];
  readonly dims?: ValueSpec['dims'];
  /** What is added to one of the second convolution's weights. */
  readonly fault?: number;
}

/** Two convolutions with a ReLU between. */
function layers({ gain = 1, channels = 3, type = 'float32', dims = [null, channels, null, null], fault = 0 }: Layers) {
  const rng = createRng(3);
  const weights = (out: number, into: number, scale: number) =>
    floatTensor(
      [out, into, 3, 3],
      rng.floats(out * into * 9).map((value) => value * scale),
    );
  const first = weights(8, channels, gain);
  const second = weights(4, 8, 1);
  second.data[0]! += fault;
  const pads = ints([1, 1, 1, 1]);
  const half = type === 'float16';
  return buildModel({
    inputs: [{ name: 'x', dims, type }],
    outputs: [{ name: 'y', dims: [null, 4, null, null] }],
    nodes: [
      ...(half ? [{ op: 'Cast', inputs: ['x'], outputs: ['wide'], attributes: { to: { type: 2, i: 1 } } }] : []),
      { op: 'Conv', inputs: [half ? 'wide' : 'x', 'a'], outputs: ['large'], attributes: { pads } },
      { op: 'Relu', inputs: ['large'], outputs: ['positive'] },
      { op: 'Conv', inputs: ['positive', 'b'], outputs: ['y'], attributes: { pads } },
    ],
    initializers: { a: first, b: second },
  });
}

const verify = (...args: string[]) => runHere(['verify', ...args]);

async function fileOf(name: string, options: Layers): Promise<string> {
  const path = join(folder, `${name}.onnx`);
  await writeFile(path, layers(options));
  return path;
}

describe('a tensor is compared by its scale', () => {
  const tensor = (...data: number[]) => ({ dims: [data.length], data: Float32Array.from(data) });
  test.each([
    ['near zero among large numbers', [1e6, 0.5], [1e6, -2], true],
    ['as far among small ones', [1, 0.5], [1, -2], false],
    ['a thousandth of the scale', [1e6, 1e3], [1e6, 0], false],
    ['small numbers all wrong', [1e-2, 2e-2], [2e-2, 1e-2], false],
    ['the same infinities and NaNs', [Number.NaN, Infinity, 1], [Number.NaN, Infinity, 1], true],
    ['another infinity', [-Infinity, 1], [Infinity, 1], false],
    ['a NaN for a number', [Number.NaN, 1e9], [1, 1e9], false],
    ['a number beside infinities', [Infinity, 2], [Infinity, 1], false],
  ])('%s', (_, actual, expected, ok) => {
    expect(compareTensors(tensor(...actual), tensor(...expected), 1e-4).ok).toBe(ok);
  });
});

test('of a network with one wrong weight the values from it on fail, and no others', async () => {
  const { device } = await openGpu();
  const shape = [1, 3, 16, 16] as const;
  const x = createRng(4).floats(3 * 16 * 16);
  const bytes = layers({ gain: 1e5, fault: 0.05 });
  const reference = { bytes, model: await loadModel(bytes), externalData: [] };
  const expected = await runReference(ort, reference, intermediateValues(reference.model), [
    { name: 'x', dims: shape, data: x },
  ]);
  await using network = await createNetwork(layers({ gain: 1e5 }), { inputShape: shape, device });
  const actual = await network.run(x, { tap: ['large', 'positive'] });
  const verdicts = [...expected].map(([name, tensor]) => [name, compareTensors(actual[name], tensor, 1e-4).ok]);
  expect(Object.fromEntries(verdicts)).toEqual({ y: false, large: true, positive: true });
});

describe('scrfd verify', () => {
  const small = ['--size', '24x16'];
  test('takes what createNetwork takes, each as the file declares it', { timeout: 120_000 }, async () => {
    const cases: [string, Layers, string[], RegExp][] = [
      ['large activations', { gain: 1e5 }, [...small, '--layers'], /^3 of 3 tensors within 0\.0001/m],
      ['one channel, of one size', { dims: [1, 1, 16, 24], channels: 1 }, [], /^ok {4}y {2}1×4×16×24 /m],
      [
        'a batch of one, asked for two',
        { dims: [1, 3, null, null] },
        [...small, '--batch', '2'],
        /^ok {4}y {2}2×4×16×24 /m,
      ],
      ['a batch of two', { dims: [2, 3, null, null] }, small, /^ok {4}y {2}2×4×16×24 /m],
      ['half floats', { type: 'float16' }, small, /^1 of 1 tensors within 0\.005/m],
    ];
    for (const [name, options, args, pattern] of cases) {
      const { code, stdout } = await verify('--model', await fileOf(name, options), ...args);
      expect(stdout, name).toMatch(pattern);
      expect(code, name).toBe(0);
    }
  });

  test('several inputs, one of them of channels that lie last', async () => {
    const path = join(folder, 'inputs.onnx');
    await writeFile(
      path,
      buildModel({
        inputs: [
          { name: 'a', dims: [1, 6, 8, 3] },
          { name: 'b', dims: [2, 3] },
        ],
        outputs: ['t', 'm'],
        nodes: [
          { op: 'Transpose', inputs: ['a'], outputs: ['t'], attributes: { perm: ints([0, 3, 1, 2]) } },
          { op: 'Relu', inputs: ['b'], outputs: ['m'] },
        ],
        initializers: {},
      }),
    );
    const { code, stdout } = await verify('--model', path);
    expect(stdout).toMatch(/^ok {4}t {2}1×3×6×8 .*\nok {4}m {2}2×3 .*\n2 of 2 tensors within/m);
    expect(code).toBe(0);
  });

  test('weights beside the file', async () => {
    const weights = createRng(5).floats(12);
    await writeFile(join(folder, 'weights.bin'), new Uint8Array(weights.buffer));
    const externalData = Object.entries({ location: 'weights.bin', offset: '0', length: '48' });
    const path = join(folder, 'beside.onnx');
    await writeFile(
      path,
      buildModel({
        inputs: [{ name: 'x', dims: [null, 3, null, null] }],
        outputs: ['z'],
        nodes: [
          { op: 'Conv', inputs: ['x', 'w'], outputs: ['y'] },
          { op: 'Tanh', inputs: ['y'], outputs: ['z'] },
        ],
        initializers: {
          w: {
            ...{ dims: [4, 3, 1, 1], dataType: 1, dataLocation: 1 },
            externalData: externalData.map(([key, value]) => ({ key, value })),
          },
        },
      }),
    );
    const { code, stdout } = await verify('--model', path, ...small, '--layers');
    expect(stdout).toMatch(/^2 of 2 tensors within/m);
    expect(code).toBe(0);
  });

  test('what cannot be compared is one sentence that names the file', async () => {
    const fixed = await fileOf('fixed', { dims: [2, 3, 16, 24] });
    for (const [option, value, error] of [
      ['--size', '32', 'input "x" is fixed at 2×3×16×24 in the file, got 2×3×32×32'],
      ['--size', '99999', 'input "x": expected a value of at most 1073741824 elements, got 2×3×99999×99999'],
      ['--batch', '4', 'input "x" is fixed at 2 images in the file, got 4'],
    ] as const) {
      const { code, stdout, stderr } = await verify('--model', fixed, option, value);
      expect([code, stdout, stderr]).toEqual([1, '', `scrfd: ${fixed}: ${error}\n`]);
    }
  });
});

withData('scrfd verify of models', () => {
  test.each([
    ['scrfd_500m_kps', ['--image', 'hopper.jpg'], 9],
    ['scrfd_500m', [], 6],
    ['det_500m', [], 9],
    ['scrfd_500m_kps', ['--layers', '--batch', '2'], 100],
    ['scrfd_500m', ['--layers'], 100],
  ])('%s %j', { timeout: 120_000 }, async (name, options, least) => {
    const args = options.map((option) => (option.endsWith('.jpg') ? imageNamed(option) : option));
    const { code, stdout } = await verify('--model', modelNamed(`${name}.onnx`), '--size', '160x128', ...args);
    expect(stdout).not.toContain('FAIL');
    expect(code).toBe(0);
    const [, good, all] = /^(\d+) of (\d+) tensors within/m.exec(stdout)!;
    expect(good).toBe(all);
    expect(Number(all)).toBeGreaterThanOrEqual(least);
  });
});
