import { isRecord } from '../../common/check.ts';
import { STAGES, type Stage } from '../../detector/compile.ts';
import type { Precision } from '../../kernels/dispatch.ts';
import type { RunPhase } from '../../runtime/run-phases.ts';
import type { Roofline } from './roofline.ts';
import type { Summary } from './statistics.ts';

/**
 * `scrfd-webgpu` is the whole way, from pixels in memory to faces; the others are the network alone, from a float
 * tensor in memory to the outputs in memory. `ort` is onnxruntime: its WebGPU provider, its CPU provider with one thread
 * and with as many as it takes by itself.
 */
export const PROVIDERS = ['scrfd-webgpu', 'scrfd-network', 'ort-webgpu', 'ort-cpu-1', 'ort-cpu-n'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What the CPU does in a run, beside waiting; its milliseconds by phase. */
export const CPU_PHASES = ['upload', 'encode', 'submit', 'readBack'] as const satisfies readonly RunPhase[];
export type CpuTimes = Readonly<Record<(typeof CPU_PHASES)[number], number>>;

/** GPU milliseconds by stage. */
export type StageTimes = Readonly<Record<Stage, number>>;

/** What was measured of one provider. */
export interface Row {
  readonly model: string;
  readonly size: readonly [width: number, height: number];
  readonly batch: number;
  readonly provider: Provider;
  /** Of runs of a whole batch with a rest before each, in turn with the other providers: a GPU's clock may fall meanwhile. */
  readonly wallMs: Summary;
  readonly runs: number;
  /** Of runs of a whole batch back to back, right after the same work has let a GPU's clock rise. */
  readonly sustainedMs: Summary;
  readonly sustainedRuns: number;
  /** Median milliseconds on the GPU from one pair of timestamps around a run after a rest; null without timestamps. */
  readonly gpuMs: number | null;
  /** The same of runs back to back. */
  readonly sustainedGpuMs: number | null;
  /** `scrfd-webgpu` back to back, each stage a compute pass of its own: together they may exceed `sustainedGpuMs`. */
  readonly stagesMs: StageTimes | null;
  /** Median milliseconds that those runs take beyond their stages: upload, submission, waiting, faces. */
  readonly outsideMs: number | null;
  /** What the CPU does in a run of `scrfd-webgpu`, back to back. Medians. */
  readonly cpuMs: CpuTimes | null;
  /** Operations of the network's convolutions by the median of `wallMs`, in 10⁹ a second. */
  readonly gflops: number;
  /** Kernel launches a run; null where it is not ours to know. */
  readonly dispatches: number | null;
  /** Activations and constants on the GPU. */
  readonly memoryBytes: number | null;
}

/** How runs follow each other, as the tables name it, and where a row has the times. */
export const RUN_MODES = [
  { name: 'sustained', wall: 'sustainedMs', gpu: 'sustainedGpuMs' },
  { name: 'with rests', wall: 'wallMs', gpu: 'gpuMs' },
] as const;

/** From nothing to the first faces in a new process, with shaders to compile or with the driver's cache of them. */
export interface ColdStart {
  readonly model: string;
  readonly size: readonly [width: number, height: number];
  readonly cache: 'cold' | 'warm';
  /** Milliseconds of `createDetector`. */
  readonly createMs: number;
  /** Milliseconds of the first `detect`. */
  readonly firstMs: number;
}

/** Pictures a second of one detector, pixels to faces, back to back. */
export interface Throughput {
  readonly model: string;
  readonly size: readonly [width: number, height: number];
  /** Pictures a call. */
  readonly batch: number;
  /** Calls under way at a time. */
  readonly calls: number;
  /** Null where one call would take longer than the budget, or more memory than the device has. */
  readonly picturesPerSecond: number | null;
}

/** How the outputs of a network, computed in one way, compare with onnxruntime's. */
export interface Parity {
  readonly model: string;
  readonly size: readonly [width: number, height: number];
  readonly batch: number;
  readonly precision: Precision;
  /** `chosen` or `tuned`, or the method of all convolutions that can take it. */
  readonly way: string;
  /** Shapes of convolutions that are computed so. */
  readonly convs: number;
  /** Largest difference of an element, as a part of its output's largest where that is above 1; null where there is no result. */
  readonly error: number | null;
  readonly tolerance: number;
  /** Whether every run gave the same bits. */
  readonly repeatable: boolean | null;
  /** Why there is no result. */
  readonly problem: string | null;
}

/** One step of a plan. */
export interface KernelTime {
  readonly label: string;
  readonly gflop: number;
  /** Bytes of all bindings, each counted once, in 10⁹. */
  readonly gb: number;
  /** Median GPU time in milliseconds, of a compute pass of its own, which costs time beside the launch. */
  readonly ms: number;
}

export interface KernelTable {
  readonly model: string;
  readonly size: readonly [width: number, height: number];
  readonly batch: number;
  readonly steps: readonly KernelTime[];
}

export interface Results {
  readonly adapter: string;
  readonly cpu: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit: string | null;
  readonly ceilings: Roofline;
  readonly rows: readonly Row[];
  readonly coldStarts: readonly ColdStart[];
  readonly kernels: readonly KernelTable[];
  readonly throughputs: readonly Throughput[];
  readonly parities: readonly Parity[];
}

/** `model 640×480 ×1`: what rows that are compared with each other have in common. */
export function caseOf({ model, size, batch }: Pick<Row, 'model' | 'size' | 'batch'>): string {
  return `${model} ${size.join('×')} ×${batch}`;
}

/** The rows of each case, in the order they were measured. */
export function groupByCase(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(caseOf(row));
    if (group) group.push(row);
    else groups.set(caseOf(row), [row]);
  }
  return groups;
}

export function isSame({ error, tolerance, repeatable }: Parity): boolean {
  return error !== null && error <= tolerance && repeatable === true;
}

/** Least time of a step by the ceilings: its arithmetic or its traffic, whichever takes longer. */
export function roofMs({ gflop, gb }: KernelTime, { fmaGflops, copyGBs }: Roofline): number {
  return Math.max(gflop / fmaGflops, gb / copyGBs) * 1000;
}

export function sumStages(times: StageTimes): number {
  return STAGES.reduce((sum, stage) => sum + times[stage], 0);
}

/** What a comparison needs of results. */
export interface Comparable extends Pick<Results, 'adapter' | 'commit' | 'ceilings'> {
  /** Older versions wrote no sustained times. */
  readonly rows: readonly (Pick<Row, 'model' | 'size' | 'batch' | 'provider' | 'wallMs'> &
    Partial<Pick<Row, 'sustainedMs'>>)[];
}

/** Reads what `--json` wrote, as far as `compareResults` needs it. @throws TypeError naming the field */
export function parseResults(text: string): Comparable {
  const expect = (condition: boolean, field: string, what: string) => {
    if (!condition) throw new TypeError(`${field}: expected ${what}`);
  };
  const positive = (value: unknown) => typeof value === 'number' && value > 0 && Number.isFinite(value);
  const results: unknown = JSON.parse(text);
  if (!isRecord(results)) throw new TypeError('expected an object');
  const { adapter, commit, ceilings, rows } = results;
  expect(typeof adapter === 'string', 'adapter', 'a string');
  expect(commit === null || typeof commit === 'string', 'commit', 'a string or null');
  for (const name of ['fmaGflops', 'copyGBs']) {
    expect(isRecord(ceilings) && positive(ceilings[name]), `ceilings.${name}`, 'a positive number');
  }
  if (!Array.isArray(rows)) throw new TypeError('rows: expected an array');
  rows.forEach((row: unknown, i) => {
    const at = `rows[${i}]`;
    if (!isRecord(row)) throw new TypeError(`${at}: expected an object`);
    const { model, size, batch, provider, wallMs, sustainedMs } = row;
    expect(typeof model === 'string', `${at}.model`, 'a string');
    expect(Array.isArray(size) && size.length === 2 && size.every(positive), `${at}.size`, '[width, height]');
    expect(positive(batch), `${at}.batch`, 'a positive number');
    expect(PROVIDERS.includes(provider as Provider), `${at}.provider`, `one of ${PROVIDERS.join(', ')}`);
    for (const [field, summary] of Object.entries({ wallMs, ...(sustainedMs !== undefined && { sustainedMs }) })) {
      for (const name of ['median', 'p10', 'p90']) {
        expect(isRecord(summary) && positive(summary[name]), `${at}.${field}.${name}`, 'a positive number');
      }
    }
  });
  return results as unknown as Comparable;
}
