import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { DeviceError } from '../../src/common/errors.ts';
import { sizeOf } from '../../src/common/tensor.ts';
import { compileDetector } from '../../src/detector/compile.ts';
import { planMemory } from '../../src/graph/count-work.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { createDetector, createNetwork, readImage } from '../../src/index.node.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { Tuner } from '../../src/runtime/tuner.ts';
import { randomNetwork } from '../graph/random-network.ts';
import { convCase } from '../kernels/support/conv-cases.ts';
import { expectClose, expectSameFaces } from '../support/compare.ts';
import { imageFiles, modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';

const gpu = await openGpu();
const { device, traits } = gpu;
const supported = device.features.has('shader-f16');
const MODEL = synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 });

describe.skipIf(!supported)('half precision (needs shader-f16)', () => {
  /** Nothing here amplifies rounding as norms of flat planes do, or jumps where a number changes little. */
  const wild = /Norm|Div|Reciprocal|Pow|Floor|Ceil|Round|Sign|Arg|Less|Greater|Equal|Mod/;
  const tame = Array.from({ length: 60 }, (_, seed) => [seed, randomNetwork(seed, 6)] as const).filter(
    ([, { spec }]) => !spec.nodes.some(({ op }) => op !== 'BatchNormalization' && wild.test(op)),
  );

  it('has networks', () => expect(tame.length).toBeGreaterThan(15));

  it.each(tame)('random network, seed %i', async (seed, { spec, inputDims }) => {
    const bytes = buildModel(spec);
    const x = createRng(seed + 1000).floats(sizeOf(inputDims));
    await using whole = await createNetwork(bytes, { inputShape: inputDims, device });
    await using half = await createNetwork(bytes, { inputShape: inputDims, device, precision: 'f16' });
    const expected = await whole.run(x);
    const actual = await gpu.guarded('half', () => half.run(x));
    for (const [name, { data }] of Object.entries(expected)) {
      const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
      const reason = `${name}: a rounding of 2^-11 a layer, a dozen layers, some of which double it`;
      expectClose(actual[name]!.data, data, { abs: 2e-2 * largest, reason });
    }
  });

  it('takes half the memory between layers', async () => {
    const model = await loadModel(MODEL);
    const spec = { batch: 1, inputSizes: [[640, 480]] } as const;
    const target = await loadTarget(traits);
    const whole = compileDetector(model, spec, target);
    const half = compileDetector(model, spec, target, { precision: 'f16' });
    expect(planMemory(half).activations).toBeLessThan(planMemory(whole).activations * 0.75);
    expect(half.steps.map(({ label }) => label)).toEqual(whole.steps.map(({ label }) => label));
  });

  it('is the same from run to run', async () => {
    const pixels = { data: createRng(3).bytes(96 * 96 * 3), width: 96, height: 96, channels: 3 } as const;
    await using detector = await createDetector(MODEL, { device, inputSize: [96, 96], precision: 'f16' });
    const first = await detector.detect(pixels);
    expect(first.length).toBeGreaterThan(3);
    for (let i = 0; i < 5; i++) expect(await detector.detect(pixels)).toEqual(first);
  });

  it('is tuned apart from single precision', async () => {
    const target = await loadTarget(traits);
    const names: string[] = [];
    const tuningStore = { read: async () => null, write: async (name: string) => void names.push(name) };
    const { spec } = convCase([8, 8], [8, 8], { kernel: [3, 3], pads: 1, group: 8 });
    for (const precision of ['f16', 'f32'] as const) {
      expect((await new Tuner(gpu, target, tuningStore, precision).choose([spec])).size).toBe(1);
    }
    expect(names).toEqual([expect.stringContaining('f16'), expect.stringContaining('f32')]);
  });

  withData('on photographs', () => {
    it.each(['scrfd_500m_kps.onnx', 'scrfd_2.5g_kps.onnx', 'scrfd_1g.onnx'])(
      'finds the faces of single precision: %s',
      async (name) => {
        const options = { device, inputSize: [320, 320], scoreThreshold: 0.3 } as const;
        await using whole = await createDetector(modelNamed(name), options);
        await using half = await createDetector(modelNamed(name), { ...options, precision: 'f16' });
        let found = 0;
        for (const file of imageFiles()) {
          const pixels = await readImage(file);
          // a face at the threshold may fall on either side of it
          const clear = ({ score }: { score: number }) => score > 0.35;
          const expected = (await whole.detect(pixels)).filter(clear);
          const actual = await half.detect(pixels);
          const matched = actual.filter(({ box: [x, y] }) =>
            expected.some(({ box }) => Math.hypot(box[0] - x, box[1] - y) < 3),
          );
          const scale = Math.max(pixels.width, pixels.height) / 320;
          try {
            // three times the largest of 1,390 faces at 640×640
            expectSameFaces(matched, expected, { score: 0.003, pixels: 0.4 * scale });
          } catch (error) {
            throw new Error(`${basename(file)}: ${(error as Error).message}`);
          }
          found += expected.length;
        }
        expect(found).toBeGreaterThan(30);
      },
      120_000,
    );
  });
});

describe('without half floats', () => {
  it.skipIf(supported)('says what the device lacks', async () => {
    const create = createDetector(MODEL, { inputSize: [32, 32], precision: 'f16' });
    await expect(create).rejects.toThrow(DeviceError);
    await expect(create).rejects.toThrow(
      "precision 'f16' needs the feature shader-f16, which this GPU device does not have",
    );
    const network = createNetwork(MODEL, { inputShape: [1, 3, 32, 32], precision: 'f16' });
    await expect(network).rejects.toThrow('shader-f16');
  });

  it('says so of a device that was opened without them', async () => {
    const adapter = await nodePlatform.requestAdapter();
    const bare = await adapter!.requestDevice();
    await expect(createDetector(MODEL, { device: bare, precision: 'f16' })).rejects.toThrow('shader-f16');
    const network = createNetwork(MODEL, {
      device: bare,
      inputShape: [1, 3, 32, 32],
      precision: 'f16',
      autotune: true,
    });
    await expect(network).rejects.toThrow('shader-f16');
    bare.destroy();
  });

  it('refuses other names', async () => {
    const precision = 'half' as 'f16';
    await expect(createDetector(MODEL, { precision })).rejects.toThrow("precision: expected 'f32' or 'f16', got half");
    await expect(createNetwork(MODEL, { inputShape: [1, 3, 32, 32], precision })).rejects.toThrow(RangeError);
  });
});
