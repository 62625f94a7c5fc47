import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ARCHITECTURES,
  type Architecture,
  findArchitecture,
  type PublishedArchitecture,
} from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { formatDims } from '../../src/common/tensor.ts';
import { createDetector, createNetwork } from '../../src/index.node.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { GpuContext } from '../../src/runtime/gpu-context.ts';
import { expectClose, expectSameFaces } from '../support/compare.ts';
import { withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { disposeOrt, type OrtTensor, runOrtInOrder } from '../support/ort.ts';
import { photographBlob } from '../support/photographs.ts';
import { letterbox, loadOpenCv } from '../support/reference-letterbox.ts';
import { decodeOutputs, nms } from '../support/reference-scrfd.ts';
import { createRng } from '../support/rng.ts';

type Dims4 = readonly [number, number, number, number];

/** Every size for the small ones; for the large, whose weights alone take seconds, one. */
const SMALL: readonly Dims4[] = [
  [1, 3, 64, 96],
  [2, 3, 96, 64],
  [2, 3, 128, 160],
];
const LARGE: readonly Dims4[] = [[2, 3, 64, 96]];
const isLarge = (name: string) => /10g|34g/.test(name);

let gpu: GpuContext;
beforeAll(async () => {
  gpu = await openGpu();
  await loadOpenCv();
});
afterAll(disposeOrt);

async function expectEqualOutputs(bytes: Uint8Array<ArrayBuffer>, sizes: readonly Dims4[]): Promise<void> {
  for (const inputShape of sizes) {
    const data = createRng(5).floats(inputShape.reduce((product, dim) => product * dim, 1));
    const expected = await runOrtInOrder(bytes, { dims: inputShape, data });
    await using network = await createNetwork(bytes, { inputShape, device: gpu.device });
    const actual = await gpu.guarded('run', () => network.run(data));
    expect(Object.keys(actual)).toEqual(expected.map(([name]) => name));
    for (const [name, tensor] of expected) {
      expect(formatDims(actual[name]!.dims), name).toBe(formatDims(tensor.dims));
      const largest = tensor.data.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
      expectClose(actual[name]!.data, tensor.data, {
        abs: 5e-4 * largest,
        reason: `${name}: float32 sums in another order, up to 160 layers deep, through norms of a few cells`,
      });
    }
  }
}

describe('every member runs here as in onnxruntime', () => {
  it.each(Object.entries<PublishedArchitecture>(ARCHITECTURES))('%s', { timeout: 120_000 }, async (name, member) => {
    const bytes = synthesizeModel(member, { seed: 1 });
    await expectEqualOutputs(bytes, isLarge(name) ? LARGE : SMALL);
  });

  it('with BatchNormalization nodes, which fold to the same network', async () => {
    const folded = synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 2 });
    const unfolded = synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 2, foldBatchNorm: false });
    const model = await loadModel(unfolded);
    expect(model.nodes.filter(({ op }) => op === 'BatchNormalization')).toHaveLength(41);
    await expectEqualOutputs(unfolded, SMALL.slice(0, 2));
    const x = { dims: SMALL[0]!, data: createRng(6).floats(3 * 64 * 96) };
    const [a, b] = [await runOrtInOrder(folded, x), await runOrtInOrder(unfolded, x)];
    a.forEach(([name, { data }], i) => {
      expectClose(data, b[i]![1].data, { abs: 1e-3, rel: 1e-3, reason: `${name}: folding rounds the weights` });
    });
  });

  it('at a fixed shape', async () => {
    const bytes = synthesizeModel(ARCHITECTURES.scrfd_500m, { shape: [96, 64] });
    const { inputs, outputs } = await loadModel(bytes);
    expect(inputs[0]!.dims).toEqual([1, 3, 64, 96]);
    expect(outputs.map(({ dims }) => dims?.join())).toEqual([
      '1,192,1',
      '1,48,1',
      '1,12,1',
      '1,192,4',
      '1,48,4',
      '1,12,4',
    ]);
    await expectEqualOutputs(bytes, [[1, 3, 64, 96]]);
  });
});

describe('a file', () => {
  it('is the same for the same seed', () => {
    const make = (seed: number) => Buffer.from(synthesizeModel(ARCHITECTURES.scrfd_500m, { seed }));
    expect(make(3).equals(make(3))).toBe(true);
    expect(make(3).equals(make(4))).toBe(false);
  });

  it('refuses sizes that do not tile, and seeds that are no integers', () => {
    expect(() => synthesizeModel(ARCHITECTURES.scrfd_500m, { shape: [100, 64] })).toThrow(
      'shape: expected multiples of 32, got 100x64',
    );
    expect(() => synthesizeModel(ARCHITECTURES.scrfd_500m, { seed: 0.5 })).toThrow(
      'seed: expected an integer, got 0.5',
    );
  });
});

const quantile = (data: Float32Array, q: number) => data.slice().sort()[Math.floor(q * (data.length - 1))]!;

function expectSaneOutputs(outputs: readonly [string, OrtTensor][]): void {
  for (const [name, { data }] of outputs) {
    const low = quantile(data, 0.05);
    const high = quantile(data, 0.95);
    if (name.startsWith('score')) {
      expect([low < 0.2, high > 0.8], `${name}: ${low} to ${high}`).toEqual([true, true]);
    } else if (name.startsWith('bbox')) {
      expect(data.reduce((sum, value) => sum + value, 0) / data.length, name).toBeGreaterThan(1);
      expect([quantile(data, 0.25) > 0, high < 16], `${name}: ${low} to ${high}`).toEqual([true, true]);
    }
  }
}

const SPREAD = ['scrfd_500m', 'scrfd_500m_kps', 'scrfd_1g', 'scrfd_2.5g', 'scrfd_2.5g_kps', 'scrfd_34g'];

describe('on noise', () => {
  it.each(SPREAD)('%s: scores spread and values stay in range', { timeout: 120_000 }, async (name) => {
    const bytes = synthesizeModel(findArchitecture(name), { seed: 3 });
    const { nodes } = await loadModel(bytes);
    const extraOutputs = nodes.filter(({ op }) => /^(Conv|Relu|Add)$/.test(op)).map(({ outputs }) => outputs[0]!);
    const dims = [1, 3, 128, 160] as const;
    const outputs = await runOrtInOrder(bytes, { dims, data: createRng(8).floats(3 * 128 * 160) }, { extraOutputs });
    expectSaneOutputs(outputs.filter(([output]) => /^(score|bbox|kps)_(8|16)$/.test(output)));
    const largest = outputs.map(([, { data }]) => data.reduce((max, value) => Math.max(max, Math.abs(value)), 0));
    expect(Math.max(...largest)).toBeLessThan(200);
  });
});

withData('on a photograph', () => {
  it.each(SPREAD.slice(0, 5))('%s: scores spread', async (name) => {
    const bytes = synthesizeModel(findArchitecture(name), { seed: 3 });
    const data = await photographBlob([320, 256]);
    expectSaneOutputs(await runOrtInOrder(bytes, { dims: [1, 3, 256, 320], data }));
  });
});

describe('the detector', () => {
  const ARCHITECTURE: Architecture = ARCHITECTURES.scrfd_500m_kps;

  it('finds the faces that the reference decodes', async () => {
    const bytes = synthesizeModel(ARCHITECTURE, { seed: 4 });
    const pixels = { width: 160, height: 128, channels: 3, data: createRng(9).bytes(160 * 128 * 3) } as const;
    const { blob } = letterbox(pixels, [160, 128]);
    const outputs = (await runOrtInOrder(bytes, { dims: [1, 3, 128, 160], data: blob })).map(([, tensor]) => tensor);
    const expected = nms(decodeOutputs(outputs, { inputSize: [160, 128], scoreThreshold: 0.5 }), 0.4);
    expect(expected.length).toBeGreaterThan(20);
    await using detector = await createDetector(bytes, { inputSize: [160, 128], device: gpu.device });
    const faces = await detector.detect(pixels);
    expectSameFaces(
      faces,
      expected.map(({ anchor: _, ...face }) => face),
      { score: 1e-3, pixels: 0.5 },
    );
  });
});
