import { beforeAll, describe, expect, it } from 'vitest';
import { countLayers } from '../../src/architectures/layers.ts';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { parseArchitecture, sampleArchitecture } from '../../src/architectures/sample.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { createNetwork } from '../../src/index.node.ts';
import type { GpuContext } from '../../src/runtime/gpu-context.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { runOrtInOrder } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';

describe('sampleArchitecture', () => {
  it.each([0.05, 0.5, 2.5, 10, 34])('meets a budget of %f GMAC within 5 %', (gmacs) => {
    for (let seed = 0; seed < 20; seed++) {
      const { macs } = countLayers(sampleArchitecture({ gmacs, seed }));
      expect(Math.abs(macs / (gmacs * 1e9) - 1), `seed ${seed}`).toBeLessThanOrEqual(0.05);
    }
  });

  it('draws each kind, and the same for the same seed', () => {
    const kinds = Array.from({ length: 20 }, (_, seed) => sampleArchitecture({ gmacs: 1, seed }).backbone);
    expect(new Set(kinds).size).toBe(3);
    expect(sampleArchitecture({ gmacs: 1, seed: 5 })).toEqual(sampleArchitecture({ gmacs: 1, seed: 5 }));
    expect(sampleArchitecture({ gmacs: 1, seed: 5, backbone: 'bottleneck' }).backbone).toBe('bottleneck');
  });

  it('refuses a budget that nothing meets', () => {
    expect(() => sampleArchitecture({ gmacs: -1, seed: 0 })).toThrow('gmacs: expected a positive number, got -1');
    expect(() => sampleArchitecture({ gmacs: 0.0001, seed: 0 })).toThrow('gmacs: no architecture of 0.0001 ± 5 %');
  });
});

describe('parseArchitecture', () => {
  const { published: _, ...valid } = ARCHITECTURES.scrfd_500m;

  it('takes what JSON gives', () => {
    expect(parseArchitecture(JSON.parse(JSON.stringify(valid)))).toEqual(valid);
  });

  it.each([
    [[], 'architecture: expected an object, got []'],
    [{ ...valid, backbone: 'vgg' }, 'architecture.backbone: expected one of mobilenet, basic, bottleneck, got "vgg"'],
    [{ ...valid, blocks: [1, 2, 3] }, 'architecture.blocks: expected 4 integers from 1 to 64, got [1,2,3]'],
    [{ ...valid, backbone: 'basic' }, 'architecture.planes: expected 4 integers'],
    [{ ...valid, neck: 0 }, 'architecture.neck: expected an integer from 1 to 4096, got 0'],
    [{ ...valid, keypoints: 1 }, 'architecture.keypoints: expected true or false, got 1'],
    [{ ...valid, keypoints: undefined }, 'architecture.keypoints: expected true or false, got undefined'],
    [{ ...valid, headGroups: 5 }, 'architecture.headGroups: expected a divisor of 16 and 64, got 5'],
    [{ ...ARCHITECTURES.scrfd_34g }, 'architecture.published: expected no such field'],
    [
      { ...valid, backbone: 'basic', planes: [7, 8, 8, 8] },
      'architecture.planes: expected an even number first, which the stem halves, got [7,8,8,8]',
    ],
  ])('refuses %j', (json, message) => {
    expect(() => parseArchitecture(json)).toThrow(message);
  });
});

describe('random architectures run here as in onnxruntime', () => {
  let gpu: GpuContext;
  beforeAll(async () => {
    gpu = await openGpu();
  });

  it.each(Array.from({ length: 10 }, (_, seed) => seed))('seed %i', async (seed) => {
    const architecture = sampleArchitecture({ gmacs: [0.05, 0.2, 0.6][seed % 3]!, seed });
    const bytes = synthesizeModel(architecture, { seed, foldBatchNorm: seed % 2 === 0 });
    const inputShape = [(seed % 2) + 1, 3, 64, 96] as const;
    const data = createRng(seed).floats(inputShape[0] * 3 * 64 * 96);
    const expected = await runOrtInOrder(bytes, { dims: inputShape, data });
    await using network = await createNetwork(bytes, { inputShape, device: gpu.device });
    const actual = await gpu.guarded(JSON.stringify(architecture), () => network.run(data));
    for (const [name, tensor] of expected) {
      expect(actual[name]?.dims, name).toEqual(tensor.dims);
      const largest = tensor.data.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
      expectClose(actual[name]!.data, tensor.data, {
        abs: 5e-4 * largest,
        reason: `${name} of ${JSON.stringify(architecture)}: float32 sums in another order, through norms of few cells`,
      });
    }
  });
});
