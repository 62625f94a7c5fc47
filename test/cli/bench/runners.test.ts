import { expect, it } from 'vitest';
import type { Provider } from '../../../src/cli/bench/results.ts';
import { measure, type Runner, type Workload } from '../../../src/cli/bench/runners.ts';

const work = { name: 'm', size: [64, 32], batch: 1, flops: 2e6 } as unknown as Workload;

function fakeRunner(provider: Provider, log: string[], delayMs: number): Runner {
  const run = async () => {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    log.push(provider);
  };
  return {
    ...{ provider, dispatches: null, memoryBytes: null, run, dispose: async () => {} },
    timeGpu: async () => 3,
    timeStages: async () => ({ letterbox: 1, network: 2, faces: 1 }),
    timeCpu: null,
  };
}

it('takes turns after rests, and then runs one at a time, back to back', { timeout: 30_000 }, async () => {
  const log: string[] = [];
  const runners = (['scrfd-webgpu', 'ort-webgpu'] as const).map((name) => fakeRunner(name, log, 5));
  const rows = await measure(runners, work, { runs: 12, budgetMs: 10_000, software: true });
  const turns = log.flatMap((name, i) => (name === log[i - 1] ? [] : [name]));
  // warm-up of each, twelve turns with rests, and blocks of ten runs and of two
  const [ours, theirs] = ['scrfd-webgpu', 'ort-webgpu'];
  expect(turns).toEqual(Array.from({ length: 1 + 12 + 2 }, () => [ours, theirs]).flat());
  for (const row of rows) {
    expect(row).toMatchObject({ runs: 12, sustainedRuns: 12, gpuMs: 3, sustainedGpuMs: 3, cpuMs: null });
    expect(row.stagesMs).toEqual({ letterbox: 1, network: 2, faces: 1 });
    expect(Math.min(row.wallMs.p10, row.sustainedMs.p10)).toBeGreaterThan(3);
    expect(row.gflops).toBeCloseTo(2 / row.wallMs.median, 6);
  }
});

it('gives a slow runner three runs of either kind', { timeout: 30_000 }, async () => {
  const [row] = await measure([fakeRunner('ort-cpu-1', [], 20)], work, { runs: 20, budgetMs: 30, software: true });
  expect(row).toMatchObject({ runs: 3, sustainedRuns: 3 });
});
