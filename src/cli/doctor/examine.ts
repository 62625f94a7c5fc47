import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { DeviceError } from '../../common/errors.ts';
import type { Plan } from '../../graph/plan.ts';
import { unary } from '../../kernels/tensor/unary.ts';
import { modelNames } from '../../models/registry.ts';
import { loadGpu } from '../../node/dawn.ts';
import { FETCH_BEST, locateDefault, STAND_IN } from '../../node/models/default.ts';
import { locateModel, requireModel } from '../../node/models/resolve.ts';
import { nodePlatform } from '../../node/platform.ts';
import { loadSharp } from '../../node/sharp.ts';
import { ConstantStore } from '../../runtime/constant-store.ts';
import { Executor } from '../../runtime/executor.ts';
import { GpuContext, isSoftware } from '../../runtime/gpu-context.ts';
import { BufferUsage } from '../../runtime/gpu-flags.ts';
import { atLeast, readDependency, readOwnPackage } from '../shared/versions.ts';
import { readVulkan, type VulkanReport } from './vulkan.ts';

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

interface Problem {
  /** Detection does not work until it is solved. */
  readonly fatal: boolean;
  readonly what: string;
  readonly fix: string;
}

export type Report = Awaited<ReturnType<typeof examine>>;
export type AdapterReport = ReturnType<typeof describeAdapter>;

/** What this machine has for detecting faces, and what is missing. */
export async function examine() {
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
  const gpu = await attempt(
    () => loadGpu(),
    (error) => {
      const present = error instanceof DeviceError && error.reason === 'driver';
      const glibc = present && vulkan ? ' (on Linux it needs glibc, as Debian, Ubuntu and Fedora have)' : '';
      return { fatal: true, what: error.message, fix: `npm install webgpu${glibc}` };
    },
  );
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

function describeAdapter({ info, features, limits }: GPUAdapter) {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = info;
  return {
    vendor,
    architecture,
    device,
    description,
    software: isSoftware(info),
    /** Smallest and largest; null without subgroups. */
    subgroupSizes: features.has('subgroups') ? ([subgroupMinSize, subgroupMaxSize] as const) : null,
    features: [...features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])) as Record<(typeof LIMITS)[number], number>,
  };
}

/**
 * Sends numbers through a kernel and back, the way that a detector does.
 * @returns milliseconds of the first run, which compiles, and of the second
 */
async function runCompute() {
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
