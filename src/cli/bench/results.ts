import { isRecord } from '../../common/check.ts';
import { STAGES, type Stage } from '../../detector/compile.ts';
import type { Roofline } from './roofline.ts';
import type { Summary } from './statistics.ts';

/**
 * `scrfd-webgpu` is the whole way, from pixels in memory to faces; the others are the network alone, from a float
 * tensor in memory to the outputs in memory. `ort` is onnxruntime: its WebGPU provider, its CPU provider with one thread
 * and with as many as it takes by itself.
 */
export const PROVIDERS = ['scrfd-webgpu', 'scrfd-network', 'ort-webgpu', 'ort-cpu-1', 'ort-cpu-n'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** GPU milliseconds by stage. */
export type StageTimes = Readonly<Record<Stage, number>>;

/** What was measured of one provider. */
export interface Row {
  readonly model: string;
  readonly size: readonly [width: number, height: number];
  readonly batch: number;
  readonly provider: Provider;
  /** Of runs of a whole batch. */
  readonly wallMs: Summary;
  readonly runs: number;
  /** Median by timestamp queries, in milliseconds; null where there are none. */
  readonly gpuMs: number | null;
  /** The parts of `gpuMs` of `scrfd-webgpu`. */
  readonly stagesMs: StageTimes | null;
  /** Median milliseconds that a run of `scrfd-webgpu` takes beyond its GPU time: upload, submission, waiting, faces. */
  readonly outsideMs: number | null;
  /** Operations of the network's convolutions by the median wall time, in 10⁹ a second. */
  readonly gflops: number;
  /** Kernel launches a run; null where it is not ours to know. */
  readonly dispatches: number | null;
  /** Activations and constants on the GPU. */
  readonly memoryBytes: number | null;
}

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

/** One step of a plan. */
export interface KernelTime {
  readonly label: string;
  readonly gflop: number;
  /** Bytes of all bindings, each counted once, in 10⁹. */
  readonly gb: number;
  /** Median GPU time in milliseconds. */
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

/** Least time of a step by the ceilings: its arithmetic or its traffic, whichever takes longer. */
export function roofMs({ gflop, gb }: KernelTime, { fmaGflops, copyGBs }: Roofline): number {
  return Math.max(gflop / fmaGflops, gb / copyGBs) * 1000;
}

export function sumStages(times: StageTimes): number {
  return STAGES.reduce((sum, stage) => sum + times[stage], 0);
}

/** Reads what `--json` wrote, as far as `compareResults` needs it. @throws TypeError naming the field */
export function parseResults(text: string): Pick<Results, 'adapter' | 'commit' | 'ceilings' | 'rows'> {
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
    const { model, size, batch, provider, wallMs } = row;
    expect(typeof model === 'string', `${at}.model`, 'a string');
    expect(Array.isArray(size) && size.length === 2 && size.every(positive), `${at}.size`, '[width, height]');
    expect(positive(batch), `${at}.batch`, 'a positive number');
    expect(PROVIDERS.includes(provider as Provider), `${at}.provider`, `one of ${PROVIDERS.join(', ')}`);
    for (const name of ['median', 'p10', 'p90']) {
      expect(isRecord(wallMs) && positive(wallMs[name]), `${at}.wallMs.${name}`, 'a positive number');
    }
  });
  return results as unknown as Results;
}
