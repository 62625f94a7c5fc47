import { STAGES } from '../../detector/compile.ts';
import { formatTable, type TableStyle } from '../shared/table.ts';
import { caseOf, groupByCase, type KernelTable, type KernelTime, type Results, type Row, roofMs } from './results.ts';
import type { Roofline } from './roofline.ts';

/** A number with three digits or so, or with `digits` decimals where given. */
export function fixed(value: number, digits = value >= 100 ? 0 : value >= 10 ? 1 : 2): string {
  return value.toFixed(digits);
}

const percent = (fraction: number) => `${(fraction * 100).toFixed(fraction < 0.0995 ? 1 : 0)} %`;

function ratioTo(row: Row, group: readonly Row[], provider: Row['provider']): string {
  const own = group.find((each) => each.provider === provider);
  return own ? `${fixed(row.wallMs.median / own.wallMs.median, 2)} ×` : '';
}

/**
 * Every provider's times. `× faces` and `× network`: how many times as long as `scrfd-webgpu`, pixels to faces, and as
 * `scrfd-network`, the like of what onnxruntime does; above 1 we are faster.
 */
export function formatRows({ rows, ceilings }: Pick<Results, 'rows' | 'ceilings'>, style: TableStyle = 'text'): string {
  const header = [
    ...['case', 'provider', 'wall ms', 'p10', 'p90', 'GPU ms', 'GFLOP/s', 'of FMA', '× faces', '× network'],
    ...['launches', 'MB'],
  ];
  const cells = [...groupByCase(rows)].flatMap(([name, group]) =>
    group.map((row) => [
      name,
      row.provider,
      fixed(row.wallMs.median),
      fixed(row.wallMs.p10),
      fixed(row.wallMs.p90),
      row.gpuMs === null ? '' : fixed(row.gpuMs),
      fixed(row.gflops),
      percent(row.gflops / ceilings.fmaGflops),
      ratioTo(row, group, 'scrfd-webgpu'),
      ratioTo(row, group, 'scrfd-network'),
      row.dispatches === null ? '' : String(row.dispatches),
      row.memoryBytes === null ? '' : fixed(row.memoryBytes / 1e6),
    ]),
  );
  return formatTable([header, ...cells], 2, style);
}

/** Where the time from pixels to faces goes. Empty without timestamps. */
function formatStages(rows: readonly Row[], style: TableStyle = 'text'): string {
  const timed = rows.filter(({ stagesMs }) => stagesMs !== null);
  if (timed.length === 0) return '';
  const cells = timed.map((row) => {
    const parts = [...STAGES.map((stage) => row.stagesMs![stage]), row.outsideMs!];
    const all = parts.reduce((sum, ms) => sum + ms, 0);
    return [caseOf(row), ...parts.map((ms) => `${fixed(ms)} (${percent(ms / all)})`)];
  });
  return formatTable([['ms, from pixels to faces', ...STAGES, 'outside the GPU'], ...cells], 1, style);
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
    formatColdStarts(results, style),
    ...kernels.map((table) => formatKernels(table, ceilings, style)),
  ];
  return parts.filter((part) => part !== '').join('\n');
}
