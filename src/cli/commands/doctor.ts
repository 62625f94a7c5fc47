import type { Command } from 'commander';
import type { AdapterTraits } from '../../kernels/dispatch.ts';
import { bestModels } from '../../models/registry.ts';
import { STAND_IN } from '../../node/models/default.ts';
import { printableJson } from '../../node/printable.ts';
import { type AdapterReport, examine, type Report } from '../doctor/examine.ts';
import type { VulkanReport } from '../doctor/vulkan.ts';
import { print } from '../shared/report.ts';

/** What the kernels use, and what tells one adapter from another. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query'] as const;

/** Explains what this machine has for detecting faces, and what is missing. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'Explain this machine: adapters, features, limits, drivers, models, what is missing and what fixes it.',
    )
    .option('--json', 'print one JSON object')
    .action(doctor);
}

async function doctor({ json }: { json?: true }): Promise<void> {
  const report = await examine();
  print(json ? `${printableJson(report, 2)}\n` : formatText(report));
  if (!report.ok) process.exitCode = 1;
}

function formatText(report: Report): string {
  const { node, vulkan, compute, sharp, problems, defaultModel } = report;
  const rows: [string, string][] = [
    ['scrfd', report.version],
    ['node', `${node.version} on ${node.platform}-${node.arch}`],
    ['webgpu', report.webgpu ?? 'missing'],
    ...(vulkan ? formatVulkan(vulkan) : []),
    ...(report.adapters.length === 0 ? [['adapter', 'none'] as [string, string]] : []),
    ...report.adapters.flatMap(formatAdapter),
  ];
  if (compute) {
    rows.push(['kernels', nameKernels(compute.traits)]);
    const times = `${compute.firstMs.toFixed(1)} ms with compilation, then ${compute.secondMs.toFixed(1)} ms`;
    rows.push(['compute', `works: ${times}`]);
  }
  rows.push(['sharp', sharp ? `${sharp.sharp}, libvips ${sharp.vips}` : 'missing']);
  const here = report.models.filter(({ path }) => path !== null);
  rows.push(...here.map(({ name, path }): [string, string] => ['model', `${name}  ${path}`]));
  rows.push(['default', nameDefault(defaultModel?.name, report.offline)]);

  const lines = rows.map(([key, value], i) => `${(key === rows[i - 1]?.[0] ? '' : key).padEnd(8)}  ${value}`);
  for (const { fatal, what, fix } of problems) lines.push('', `${fatal ? 'problem' : 'advice'}: ${what}`, `  → ${fix}`);
  lines.push('', report.ok ? 'Face detection works here.' : 'Face detection does not work here yet.');
  return `${lines.join('\n')}\n`;
}

function nameDefault(here: string | undefined, offline: boolean): string {
  if (offline || (here !== undefined && here !== STAND_IN)) return here ?? 'none';
  return `${bestModels[0]} where it can be downloaded, else ${STAND_IN}`;
}

function formatVulkan({ drivers, override }: VulkanReport): [string, string][] {
  const rows = drivers.map((path): [string, string] => ['vulkan', path]);
  if (override) rows.push(['vulkan', `${override.name}=${override.value}`]);
  return rows.length === 0 ? [['vulkan', 'no driver']] : rows;
}

function formatAdapter(adapter: AdapterReport): [string, string][] {
  const { vendor, architecture, description, software, subgroupSizes, features, limits } = adapter;
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  const [least, most] = subgroupSizes ?? [0, 0];
  const named = FEATURES.map((feature) => {
    if (!features.includes(feature)) return `no ${feature}`;
    return feature === 'subgroups' ? `subgroups of ${least === most ? least : `${least} to ${most}`}` : feature;
  });
  return [
    ['adapter', `${description || vendor || 'unnamed'} (${[vendor, architecture].filter(Boolean).join(', ')})`],
    ['  kind', software ? 'software, on the CPU' : 'hardware'],
    ['  has', named.join(', ')],
    [
      '  limits',
      `buffers of ${mib(limits.maxBufferSize)}, bindings of ${mib(limits.maxStorageBufferBindingSize)}, ` +
        `${limits.maxComputeInvocationsPerWorkgroup} invocations and ${limits.maxComputeWorkgroupStorageSize / 1024} KiB a workgroup`,
    ],
  ];
}

/** The class of kernels that lowering chooses for an adapter. */
function nameKernels({ software, subgroupSize }: AdapterTraits): string {
  const subgroups = subgroupSize > 0 ? `subgroups of ${subgroupSize}` : 'no subgroups of a fixed size';
  return `${software ? 'for software adapters' : 'for graphics cards'}, ${subgroups}`;
}
