import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { compileDetector } from '../../src/detector/compile.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import type { AdapterTraits, Dispatch } from '../../src/kernels/dispatch.ts';
import { RATES } from '../../src/kernels/hardware/rates.ts';
import { loadModel } from '../../src/loader/load-model.ts';

/** NVIDIA's H200 as a browser shows it: of storage buffers, browsers give 10 wherever an adapter has as many. */
const server: AdapterTraits = { software: false, subgroupSize: 32, class: 'server', storageBuffers: 10 };

/** By the cost model; a launch that it does not know, by what it reads and writes, at a third of the memory's rate. */
function microseconds({ microseconds: known, bindingBytes }: Dispatch): number {
  if (known) return known;
  const bytes = bindingBytes.reduce((sum, each) => sum + each, 0);
  return RATES.server.launchMicroseconds + (3 * bytes) / RATES.server.memoryGbps / 1e3;
}

async function compile(name: keyof typeof ARCHITECTURES, traits: AdapterTraits, batch = 1) {
  const model = await loadModel(synthesizeModel(ARCHITECTURES[name]!, { seed: 1 }));
  return compileDetector(model, { batch, inputSizes: [[640, 480]] }, await loadTarget(traits));
}

describe('launches from pixels to faces on a large GPU, by the cost model', () => {
  it.each([
    ['scrfd_500m_kps', 32, 300],
    ['scrfd_1g', 44, 500],
    ['scrfd_2.5g_kps', 46, 500],
    ['scrfd_10g_kps', 48, 1200],
    ['scrfd_34g', 152, 4000],
  ] as const)('%s: at most %i, in %i µs', async (name, launches, most) => {
    const { steps } = await compile(name, server);
    const times = steps.map(({ dispatch }) => microseconds(dispatch));
    const sum = times.reduce((total, time) => total + time, 0);
    expect(steps.length).toBeLessThanOrEqual(launches);
    expect(sum).toBeLessThanOrEqual(most);
    if (name === 'scrfd_500m_kps') expect(Math.max(...times)).toBeLessThanOrEqual(sum / 10);
  });

  it('are not more for several input sizes than for the largest, where they fit beside each other', async () => {
    const model = await loadModel(synthesizeModel(ARCHITECTURES.scrfd_500m_kps!, { seed: 1 }));
    const target = await loadTarget(server);
    const count = (sizes: readonly (readonly [number, number])[]) =>
      compileDetector(model, { batch: 1, inputSizes: sizes }, target).steps.length;
    expect(
      count([
        [640, 480],
        [320, 256],
      ]),
    ).toBeLessThan(2 * count([[640, 480]]) - 10);
  });
});

describe('launches on other adapters', () => {
  it('bind no more than WebGPU guarantees unless the device has more', async () => {
    const { storageBuffers, ...guaranteed } = server;
    for (const [traits, most] of [
      [server, storageBuffers!],
      [guaranteed, 8],
    ] as const) {
      const { steps } = await compile('scrfd_34g', traits);
      expect(Math.max(...steps.map(({ operands }) => operands.length))).toBe(most);
    }
  });

  it('are those of a node each on software rasterisers', async () => {
    const { steps } = await compile('scrfd_500m_kps', { software: true, subgroupSize: 8 });
    expect(steps.map(({ dispatch }) => dispatch.kernel)).not.toContain('side-by-side');
    expect(steps.map(({ dispatch }) => dispatch.kernel)).not.toContain('separable-split');
  });

  it.each([
    ['scrfd_500m_kps', 8, false],
    ['scrfd_500m_kps', 4, true],
    ['scrfd_2.5g_kps', 8, true],
    ['scrfd_1g', 8, false],
  ] as const)(
    'of %s by subgroups of %i: Winograd’s where that is much of the network, or soon compiled',
    async (name, subgroupSize, has) => {
      const { steps } = await compile(name, { software: true, subgroupSize });
      expect(steps.some(({ dispatch }) => dispatch.kernel === 'winograd-input')).toBe(has);
    },
  );

  it('of a batch are more where one launch would compute too much again', async () => {
    const kernels = async (batch: number) => {
      const { steps } = await compile('scrfd_500m_kps', server, batch);
      return steps.filter(({ dispatch }) => dispatch.kernel === 'separable-split').length;
    };
    expect(await kernels(16)).toBeLessThan(await kernels(1));
  });
});
