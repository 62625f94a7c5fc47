// Times whole networks, ours and onnxruntime's, in turn in one process on one adapter.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import * as ort from 'onnxruntime-node';
import { parseCount, parseSize } from '../src/cli/options.ts';
import { GpuContext } from '../src/device.ts';
import { createDetector, createNetwork, type Pixels } from '../src/index.node.ts';
import { nodePlatform } from '../src/platform.node.ts';
import { createRng } from '../test/support/rng.ts';
import { median, quantile } from './statistics.ts';

/** One way to run the model: from a filled input to outputs on the CPU. */
interface Contender {
  readonly name: string;
  readonly run: () => Promise<unknown>;
  readonly dispose: () => Promise<void>;
}

/** `scrfd-faces` is the whole way from pixels to faces, the others are the network alone. */
const PROVIDERS = ['scrfd-webgpu', 'scrfd-faces', 'ort-webgpu', 'ort-cpu-1', 'ort-cpu-n'] as const;
type Provider = (typeof PROVIDERS)[number];

const program = new Command('bench')
  .description('Compares network times with onnxruntime on the same adapter, in turn, in one run.')
  .option('--models <files...>', 'ONNX files (default: scrfd_500m_kps.onnx in $SCRFD_DATA/models)')
  .option('--size <WxH>', 'input size', parseSize, [640, 480])
  .option('--runs <N>', 'timed runs of each', parseCount, 10)
  .option('--providers <names...>', PROVIDERS.join(', '), [...PROVIDERS])
  .option('--json', 'print one JSON object');
program.parse();
const options = program.opts<{
  models?: string[];
  size: [number, number];
  runs: number;
  providers: string[];
  json?: true;
}>();

function defaultModels(): string[] {
  const path = join(process.env.SCRFD_DATA ?? '.', 'models', 'scrfd_500m_kps.onnx');
  if (existsSync(path)) return [path];
  throw new Error('name a model with --models FILE, or set SCRFD_DATA to a folder that has models/scrfd_500m_kps.onnx');
}

async function open(
  provider: Provider,
  path: string,
  dims: readonly [number, number, number, number],
  device: GPUDevice,
) {
  const data = createRng(1).floats(dims[1] * dims[2] * dims[3]);
  if (provider === 'scrfd-webgpu') {
    const network = await createNetwork(path, { inputShape: dims, device });
    return { name: provider, run: () => network.run(data), dispose: () => network.dispose() };
  }
  if (provider === 'scrfd-faces') {
    const detector = await createDetector(path, { inputSize: [width, height], device });
    const image: Pixels = { data: createRng(2).bytes(width * height * 3), width, height, channels: 3 };
    return { name: provider, run: () => detector.detect(image), dispose: () => detector.dispose() };
  }
  const session = await ort.InferenceSession.create(path, {
    executionProviders: [provider === 'ort-webgpu' ? 'webgpu' : 'cpu'],
    logSeverityLevel: 3,
    ...(provider === 'ort-cpu-1' && { intraOpNumThreads: 1 }),
  });
  const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', data, [...dims]) };
  return { name: provider, run: () => session.run(feeds), dispose: () => session.release() };
}

async function time(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const context = await GpuContext.open(nodePlatform, undefined);
const info = context.device.adapterInfo;
const adapter = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ');
const [width, height] = options.size;
const unknown = options.providers.find((name) => !PROVIDERS.includes(name as Provider));
if (unknown) throw new Error(`--providers: expected ${PROVIDERS.join(', ')}, got ${unknown}`);

const rows = [];
for (const path of options.models ?? defaultModels()) {
  const dims = [1, 3, height, width] as const;
  const contenders: Contender[] = [];
  for (const provider of options.providers) {
    contenders.push(await open(provider as Provider, path, dims, context.device));
  }
  // the first runs compile shaders and grow arenas
  for (const { run } of contenders) for (let i = 0; i < 2; i++) await run();
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let i = 0; i < options.runs; i++) {
    for (const { name, run } of contenders) times.get(name)!.push(await time(run));
  }
  for (const { name, dispose } of contenders) {
    const values = times.get(name)!;
    const wallMs = { median: median(values), p10: quantile(values, 0.1), p90: quantile(values, 0.9) };
    rows.push({ model: basename(path), size: [width, height], batch: 1, provider: name, wallMs });
    await dispose();
  }
}

if (options.json) {
  console.log(JSON.stringify({ adapter, node: process.version, onnxruntime: ort.env.versions.node, rows }, null, 2));
} else {
  console.log(`adapter: ${adapter}\n`);
  for (const row of rows) {
    const own = rows.find(({ model, provider }) => model === row.model && provider === 'scrfd-webgpu');
    const ratio = own ? `${(row.wallMs.median / own.wallMs.median).toFixed(2)} × scrfd-webgpu` : '';
    const { median: middle, p10, p90 } = row.wallMs;
    console.log(
      `${row.model.padEnd(24)} ${row.size.join('×')}  ${row.provider.padEnd(13)} ${middle.toFixed(1).padStart(8)} ms` +
        `  (p10 ${p10.toFixed(1)}, p90 ${p90.toFixed(1)})  ${ratio}`,
    );
  }
}
context.dispose();
