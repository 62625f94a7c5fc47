import { STAGES } from '../../detector/compile.ts';
import { formatTable, type TableStyle } from '../shared/table.ts';
import {
  CPU_PHASES,
  caseOf,
  groupByCase,
  isSame,
  type KernelTable,
  type KernelTime,
  type Provider,
  type Results,
  type Row,
  RUN_MODES,
  roofMs,
} from './results.ts';
import type { Roofline } from './roofline.ts';

type RunMode = (typeof RUN_MODES)[number];

/** A number with three digits or so, or with `digits` decimals where given. */
export function fixed(value: number, digits = value >= 100 ? 0 : value >= 10 ? 1 : 2): string {
  return value.toFixed(digits);
}

const optional = (ms: number | null) => (ms === null ? '' : fixed(ms));

const percent = (fraction: number) => `${(fraction * 100).toFixed(fraction < 0.0995 ? 1 : 0)} %`;

function ratioTo(row: Row, group: readonly Row[], provider: Provider, wall: RunMode['wall']): string {
  const own = group.find((each) => each.provider === provider);
  return own ? `${fixed(row[wall].median / own[wall].median, 2)} ×` : '';
}

/**
 * Every provider's times, sustained and then with rests; ratios are of runs of one kind. `× faces` and `× network`: how
 * many times as long as `scrfd-webgpu`, pixels to faces, and as `scrfd-network`, the like of what onnxruntime does; above 1
 * we are faster. Empty where nothing was timed.
 */
export function formatRows({ rows, ceilings }: Pick<Results, 'rows' | 'ceilings'>, style: TableStyle = 'text'): string {
  if (rows.length === 0) return '';
  const header = [
    ...['case', 'provider', 'runs', 'wall ms', 'p10', 'p90', 'GPU ms', 'GFLOP/s', 'of FMA', '× faces', '× network'],
    ...['launches', 'MB'],
  ];
  const line = (row: Row, group: readonly Row[], { name, wall, gpu }: RunMode) => {
    const gflops = (row.gflops * row.wallMs.median) / row[wall].median;
    return [
      caseOf(row),
      row.provider,
      name,
      fixed(row[wall].median),
      fixed(row[wall].p10),
      fixed(row[wall].p90),
      optional(row[gpu]),
      fixed(gflops),
      percent(gflops / ceilings.fmaGflops),
      ratioTo(row, group, 'scrfd-webgpu', wall),
      ratioTo(row, group, 'scrfd-network', wall),
      row.dispatches === null ? '' : String(row.dispatches),
      row.memoryBytes === null ? '' : fixed(row.memoryBytes / 1e6),
    ];
  };
  const cells = [...groupByCase(rows).values()].flatMap((group) =>
    RUN_MODES.flatMap((mode) => group.map((row) => line(row, group, mode))),
  );
  return formatTable([header, ...cells], 3, style);
}

/**
 * Where the time from pixels to faces goes, back to back. `whole run` is one compute pass between one pair of timestamps;
 * each stage has a pass of its own. Empty without timestamps.
 */
function formatStages(rows: readonly Row[], style: TableStyle = 'text'): string {
  const timed = rows.filter(({ stagesMs }) => stagesMs !== null);
  if (timed.length === 0) return '';
  const cells = timed.map((row) => {
    const parts = [...STAGES.map((stage) => row.stagesMs![stage]), row.outsideMs!];
    const all = parts.reduce((sum, ms) => sum + ms, 0);
    return [caseOf(row), optional(row.sustainedGpuMs), ...parts.map((ms) => `${fixed(ms)} (${percent(ms / all)})`)];
  });
  const header = ['sustained ms, from pixels to faces', 'whole run on the GPU', ...STAGES, 'outside the GPU'];
  return formatTable([header, ...cells], 1, style);
}

/** What the CPU does in a run. Empty where our detector is not measured. */
function formatCpuTimes(rows: readonly Row[], style: TableStyle): string {
  const cells = rows.flatMap((row) => {
    const { cpuMs } = row;
    if (!cpuMs) return [];
    const parts = CPU_PHASES.map((phase) => cpuMs[phase]);
    return [[caseOf(row), ...[...parts, parts.reduce((sum, ms) => sum + ms, 0)].map((ms) => fixed(ms, 3))]];
  });
  if (cells.length === 0) return '';
  const header = ['sustained ms of the CPU, from pixels to faces', 'upload', 'encode', 'submit', 'read-back', 'sum'];
  return formatTable([header, ...cells], 1, style);
}

function formatThroughputs({ throughputs }: Pick<Results, 'throughputs'>, style: TableStyle): string {
  if (throughputs.length === 0) return '';
  const cells = throughputs.map(({ model, size, calls, batch, picturesPerSecond }) => [
    `${model} ${size.join('×')}`,
    String(calls),
    String(batch),
    picturesPerSecond === null ? 'not measured' : fixed(picturesPerSecond),
    picturesPerSecond === null ? '' : fixed(1000 / picturesPerSecond),
  ]);
  const header = ['throughput, from pixels to faces', 'calls under way', 'batch', 'pictures/s', 'ms a picture'];
  return formatTable([header, ...cells], 1, style);
}

function formatColdStarts({ coldStarts }: Pick<Results, 'coldStarts'>, style: TableStyle = 'text'): string {
  if (coldStarts.length === 0) return '';
  const cells = coldStarts.map(({ model, size, cache, createMs, firstMs }) => [
    `${model} ${size.join('×')}`,
    cache,
    ...[createMs, firstMs, createMs + firstMs].map((ms) => fixed(ms, 0)),
  ]);
  return formatTable([['first run in a process', 'shader cache', 'create ms', 'detect ms', 'sum'], ...cells], 2, style);
}

function formatParities({ parities }: Pick<Results, 'parities'>, style: TableStyle): string {
  if (parities.length === 0) return '';
  const cells = parities.map((parity) => {
    const { precision, way, convs, error, tolerance, repeatable, problem } = parity;
    const result = problem ?? (isSame(parity) ? 'same' : repeatable ? 'DIFFERENT' : 'OTHER BITS EACH RUN');
    const errors = [error === null ? '' : error.toExponential(1), tolerance.toExponential(0)];
    return [caseOf(parity), precision, way, result, String(convs), ...errors];
  });
  const header = [
    'outputs beside onnxruntime CPU',
    'images',
    'convolutions',
    'result',
    'of shapes',
    'error',
    'allowed',
  ];
  return formatTable([header, ...cells], 4, style);
}

const KERNELS_NOTE =
  'Each launch below has a compute pass of its own, for its timestamps, which costs about 8 µs a launch on large GPUs:\n' +
  'sums exceed the GPU time of the whole run.\n';

/**
 * One line a step, then one a kernel. `of roof`: the least time by the adapter's ceilings as a part of the time taken;
 * bytes are those of the bindings, so a kernel that finds them in a cache, or leaves some alone, may exceed 100 %.
 */
export function formatKernels(table: KernelTable, ceilings: Roofline, style: TableStyle = 'text'): string {
  const total = table.steps.reduce((sum, { ms }) => sum + ms, 0);
  const line = (label: string, steps: readonly KernelTime[]) => {
    const sum = (pick: (step: KernelTime) => number) => steps.reduce((all, step) => all + pick(step), 0);
    const [gflop, gb, ms] = [sum((step) => step.gflop), sum((step) => step.gb), sum((step) => step.ms)];
    const rate = (value: number, format: (rate: number) => string) => (ms > 0 ? format(value / ms) : '');
    return [
      label,
      fixed(gflop, 3),
      fixed(gb, 4),
      fixed(ms, 3),
      rate(gflop * 1000, fixed),
      rate(gb * 1000, fixed),
      rate(
        sum((step) => roofMs(step, ceilings)),
        percent,
      ),
      percent(ms / total),
    ];
  };
  const kernels = new Map<string, KernelTime[]>();
  for (const step of table.steps) {
    const kernel = step.label.slice(step.label.lastIndexOf('/') + 1);
    kernels.set(kernel, [...(kernels.get(kernel) ?? []), step]);
  }
  const columns = ['GFLOP', 'GB', 'ms', 'GFLOP/s', 'GB/s', 'of roof', 'share'];
  const steps = table.steps.map((step) => line(step.label, [step]));
  const sums = [...kernels].map(([kernel, members]) => line(`${kernel} (${members.length})`, members));
  return [
    KERNELS_NOTE,
    formatTable([[caseOf(table), ...columns], ...steps], 1, style),
    formatTable([['by kernel (launches)', ...columns], ...sums, line('all', table.steps)], 1, style),
  ].join('\n');
}

/** All that was measured, with the machine and the ceilings in front. */
export function formatResults(results: Results, style: TableStyle = 'text'): string {
  const { adapter, cpu, versions, commit, ceilings, kernels } = results;
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const facts = [
    `adapter: ${adapter}`,
    `cpu: ${cpu}`,
    `versions: ${names.join(', ')}${commit === null ? '' : `, commit ${commit}`}`,
    `ceilings: ${fixed(ceilings.fmaGflops)} GFLOP/s multiply-add, ${fixed(ceilings.copyGBs)} GB/s copied`,
  ];
  const parts = [
    facts.map((fact) => `${style === 'markdown' ? '- ' : ''}${fact}\n`).join(''),
    formatRows(results, style),
    formatStages(results.rows, style),
    formatCpuTimes(results.rows, style),
    formatThroughputs(results, style),
    formatColdStarts(results, style),
    formatParities(results, style),
    ...kernels.map((table) => formatKernels(table, ceilings, style)),
  ];
  return parts.filter((part) => part !== '').join('\n');
}
