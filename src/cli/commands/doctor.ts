import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { DeviceError } from '../../common/errors.ts';
import type { Plan } from '../../graph/plan.ts';
import type { AdapterTraits } from '../../kernels/dispatch.ts';
import { unary } from '../../kernels/tensor/unary.ts';
import { bestModels, modelNames } from '../../models/registry.ts';
import { FETCH_BEST, locateDefault, STAND_IN } from '../../node/models/default.ts';
import { locateModel, requireModel } from '../../node/models/resolve.ts';
import { loadGpu, nodePlatform } from '../../node/platform.ts';
import { loadSharp } from '../../node/sharp.ts';
import { ConstantStore } from '../../runtime/constant-store.ts';
import { Executor } from '../../runtime/executor.ts';
import { GpuContext, isSoftware } from '../../runtime/gpu-context.ts';
import { BufferUsage } from '../../runtime/gpu-flags.ts';

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** What the kernels use, and what tells one adapter from another. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query'] as const;

interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Runs on the CPU. */
  readonly software: boolean;
  /** Smallest and largest; null without subgroups. */
  readonly subgroupSizes: readonly [number, number] | null;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
}

interface ComputeReport {
  readonly traits: AdapterTraits;
  /** Milliseconds of the first run, which compiles, and of the second. */
  readonly firstMs: number;
  readonly secondMs: number;
}

interface VulkanReport {
  /** Manifests of drivers that the Vulkan loader reads. */
  readonly drivers: readonly string[];
  /** The environment variable that replaces the loader's own search, if one is set. */
  readonly override: { readonly name: string; readonly value: string } | null;
}

interface Problem {
  /** Detection does not work until it is solved. */
  readonly fatal: boolean;
  readonly what: string;
  readonly fix: string;
}

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
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatText(report));
  if (!report.ok) process.exitCode = 1;
}

type Report = Awaited<ReturnType<typeof examine>>;

async function examine() {
  const problems: Problem[] = [];
  const attempt = async <T>(work: () => Promise<T>, explain: (error: Error) => Problem): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      problems.push(explain(error instanceof Error ? error : new Error(String(error))));
      return null;
    }
  };

  const { version, engines } = readOwnPackage();
  const node = { version: process.versions.node, platform: process.platform, arch: process.arch };
  if (!atLeast(node.version, engines?.node ?? '')) {
    const what = `Node ${node.version} is too old: ${engines?.node} is needed`;
    problems.push({ fatal: true, what, fix: 'install the current LTS release of Node' });
  }

  const vulkan = process.platform === 'linux' ? readVulkan(process.env, homedir()) : null;
  const gpu = await attempt(loadGpu, (error) => {
    const present = error instanceof DeviceError && error.reason === 'driver';
    const glibc = present && vulkan ? ' (on Linux it needs glibc, as Debian, Ubuntu and Fedora have)' : '';
    return { fatal: true, what: error.message, fix: `npm install webgpu${glibc}` };
  });
  const adapters = gpu ? await listAdapters(gpu) : [];
  if (gpu && adapters.length === 0) problems.push(explainNoAdapter(vulkan));
  const compute =
    adapters.length === 0
      ? null
      : await attempt(runCompute, ({ message }) => ({
          fatal: true,
          what: `the adapter does not compute: ${message}`,
          fix: 'update the graphics driver, or choose another with VK_DRIVER_FILES',
        }));
  const unused = compute?.traits.software ? findGpuDevice() : undefined;
  if (unused !== undefined) {
    const what = `this machine has a graphics device (${unused}), but WebGPU finds only the CPU`;
    problems.push({ fatal: false, what, fix: "install the graphics card's Vulkan driver, for faster detection" });
  }

  const sharp = await attempt(loadSharp, ({ message }) => ({
    fatal: true,
    what: message,
    fix: 'npm install --include=optional sharp',
  }));

  const models = await Promise.all(
    modelNames().map(async (name) => {
      const { path = null, where = null } = (await locateModel(requireModel(name))) ?? {};
      return { name, path, where };
    }),
  );
  const located = await locateDefault();
  const offline = Boolean(process.env.SCRFD_OFFLINE);
  if (located === undefined) {
    const then = offline ? ', and SCRFD_OFFLINE forbids downloads' : '; the first detection downloads one';
    const fix = `${offline ? 'SCRFD_OFFLINE= ' : ''}${FETCH_BEST}`;
    problems.push({ fatal: offline, what: `no model is on this machine${then}`, fix });
  } else if (located.name === STAND_IN) {
    const what = `no SCRFD model is on this machine; without a network ${STAND_IN}, a simpler one, stands in`;
    problems.push({ fatal: false, what, fix: FETCH_BEST });
  }

  return {
    ok: !problems.some(({ fatal }) => fatal),
    version,
    node,
    webgpu: gpu && readDependency('webgpu'),
    vulkan,
    adapters,
    compute,
    sharp: sharp && { sharp: readDependency('sharp'), vips: sharp.versions.vips },
    models,
    offline,
    /** What detection uses without a download. */
    defaultModel: located ?? null,
    problems,
  };
}

interface PackageJson {
  readonly version: string;
  readonly engines?: { readonly node?: string };
}

export function readOwnPackage(): PackageJson {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as PackageJson;
}

/** Version of an installed package; null when it hides its package.json. */
export function readDependency(name: string): string | null {
  try {
    const require = createRequire(import.meta.url);
    let folder = dirname(require.resolve(name));
    while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
    return (require(join(folder, 'package.json')) as PackageJson).version;
  } catch {
    return null;
  }
}

/** Whether a version is in a range such as `>=20.10`. */
export function atLeast(version: string, range: string): boolean {
  const parse = (text: string) => (text.match(/\d+/g) ?? []).map(Number);
  const [have, need] = [parse(version), parse(range)];
  const i = need.findIndex((part, at) => part !== (have[at] ?? 0));
  return i < 0 || (have[i] ?? 0) > need[i]!;
}

/** WebGPU has no list of adapters: these are its answers to all that one can ask for, the detector's first. */
async function listAdapters(gpu: GPU): Promise<AdapterReport[]> {
  const asked = [
    await nodePlatform.requestAdapter(),
    await gpu.requestAdapter({ powerPreference: 'low-power' }),
    await gpu.requestAdapter({ forceFallbackAdapter: true }),
  ];
  const reports = asked.flatMap((adapter) => (adapter ? [describeAdapter(adapter)] : []));
  const texts = reports.map((report) => JSON.stringify(report));
  return reports.filter((_, i) => texts.indexOf(texts[i]!) === i);
}

function describeAdapter({ info, features, limits }: GPUAdapter): AdapterReport {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = info;
  return {
    vendor,
    architecture,
    device,
    description,
    software: isSoftware(info),
    subgroupSizes: features.has('subgroups') ? [subgroupMinSize, subgroupMaxSize] : null,
    features: [...features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])) as AdapterReport['limits'],
  };
}

/** Sends numbers through a kernel and back, the way that a detector does. */
async function runCompute(): Promise<ComputeReport> {
  const context = await GpuContext.open(nodePlatform, undefined);
  try {
    const start = performance.now();
    const input = Float32Array.from({ length: 4096 }, (_, i) => i - 2048);
    const bytes = input.byteLength;
    const plan: Plan = {
      buffers: [bytes, bytes],
      constants: new Map(),
      cleared: [],
      steps: [
        {
          label: 'doctor/unary',
          stage: 'network',
          dispatch: unary({ kind: 'relu' }, input.length / 4),
          operands: [
            { kind: 'buffer', index: 0 },
            { kind: 'buffer', index: 1 },
          ],
        },
      ],
    };
    const executor = await Executor.create(context, new ConstantStore(context), plan);
    const { device } = context;
    const staging = device.createBuffer({ size: bytes, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
    const run = () =>
      context.guarded('computing', async () => {
        device.queue.writeBuffer(executor.buffer(0), 0, input);
        const encoder = device.createCommandEncoder();
        executor.encode(encoder);
        const [copy] = await context.read(encoder, staging, [{ buffer: executor.buffer(1), offset: 0, bytes }]);
        return new Float32Array(copy!);
      });
    const output = await run();
    const second = performance.now();
    const again = await run();
    const end = performance.now();
    const wrong = input.findIndex((x, i) => output[i] !== Math.max(0, x) || again[i] !== output[i]);
    if (wrong >= 0) throw new Error(`expected ${Math.max(0, input[wrong]!)}, got ${output[wrong]}, ${again[wrong]}`);
    return { traits: context.traits, firstMs: second - start, secondMs: end - second };
  } finally {
    context.dispose();
  }
}

/** What Linux's Vulkan loader will read, given the environment and the user's folder. */
export function readVulkan(env: Readonly<NodeJS.ProcessEnv>, home: string): VulkanReport {
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) {
    const value = env[name];
    if (value) return { drivers: value.split(delimiter).flatMap(listManifests), override: { name, value } };
  }
  const roots = [
    env.XDG_CONFIG_HOME || join(home, '.config'),
    ...(env.XDG_CONFIG_DIRS || '/etc/xdg').split(delimiter),
    '/etc',
    env.XDG_DATA_HOME || join(home, '.local', 'share'),
    ...(env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(delimiter),
  ];
  const drivers = roots.flatMap((root) => listManifests(join(root, 'vulkan', 'icd.d')));
  return { drivers: [...new Set(drivers)], override: null };
}

/** The driver manifests that a path names: itself, or what its folder holds. */
function listManifests(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(path, name));
  } catch {
    return existsSync(path) ? [path] : [];
  }
}

function explainNoAdapter(vulkan: VulkanReport | null): Problem {
  const override = vulkan?.override;
  if (override && vulkan.drivers.length === 0) {
    const what = `there is no WebGPU adapter: ${override.name} names no Vulkan driver (${override.value})`;
    return { fatal: true, what, fix: `unset ${override.name}` };
  }
  const few = override ? ` (${override.name} chooses them)` : '';
  const what =
    vulkan === null
      ? 'there is no WebGPU adapter'
      : vulkan.drivers.length === 0
        ? 'there is no WebGPU adapter: no Vulkan driver is installed'
        : `there is no WebGPU adapter: none of the ${vulkan.drivers.length} Vulkan drivers here${few} will do`;
  return { fatal: true, what, fix: nodePlatform.adapterHelp() };
}

/** A graphics device of Linux, whether or not it has a driver for Vulkan. */
function findGpuDevice(): string | undefined {
  return ['/dev/dri/renderD128', '/dev/nvidia0', '/dev/dxg'].find((path) => existsSync(path));
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
