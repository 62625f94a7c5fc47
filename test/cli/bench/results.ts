import type { Provider, Results, Row } from '../../../src/cli/bench/results.ts';

export function rowOf(provider: Provider, ms: number, more: Partial<Row> = {}): Row {
  return {
    model: 'a<b>.onnx',
    size: [64, 32],
    batch: 1,
    provider,
    wallMs: { median: ms, p10: ms * 0.9, p90: ms * 1.2 },
    runs: 5,
    sustainedMs: { median: ms / 2, p10: ms * 0.4, p90: ms * 0.6 },
    sustainedRuns: 4,
    gpuMs: null,
    sustainedGpuMs: null,
    stagesMs: null,
    outsideMs: null,
    cpuMs: null,
    gflops: 100 / ms,
    dispatches: null,
    memoryBytes: null,
    ...more,
  };
}

export function resultsOf(rows: readonly Row[], more: Partial<Results> = {}): Results {
  return {
    adapter: 'Example GPU',
    cpu: 'Example CPU, 4 threads',
    versions: { 'scrfd-webgpu': '1.2.3' },
    commit: 'abc1234',
    ceilings: { fmaGflops: 200, copyGBs: 20 },
    rows,
    coldStarts: [],
    kernels: [],
    throughputs: [],
    parities: [],
    ...more,
  };
}
