import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { findArchitecture } from '../../architectures/published.ts';
import { synthesizeModel } from '../../architectures/synthesize.ts';
import { countWork } from '../../graph/count-work.ts';
import type { Precision } from '../../kernels/dispatch.ts';
import { declaredSize } from '../../loader/model.ts';
import { loadGpu } from '../../node/dawn.ts';
import { MODEL_FILE, readRegularFile, readSource } from '../../node/files.ts';
import { nodePlatform } from '../../node/platform.ts';
import { GpuContext } from '../../runtime/gpu-context.ts';
import { openModel } from '../../runtime/open-model.ts';
import { drawChart } from '../bench/chart.ts';
import { measureColdStarts } from '../bench/cold-start.ts';
import { assertSameAdapter, compareResults } from '../bench/compare.ts';
import { writePack } from '../bench/pack/write-pack.ts';
import { checkParity } from '../bench/parity.ts';
import { timeKernels } from '../bench/plan-run.ts';
import {
  type ColdStart,
  caseOf,
  isSame,
  type KernelTable,
  type Parity,
  PROVIDERS,
  type Provider,
  parseResults,
  type Results,
  type Row,
  type Throughput,
} from '../bench/results.ts';
import { measureRoofline } from '../bench/roofline.ts';
import { measure, openDetector, openNetwork, openOnnxRuntime, type Runner, type Workload } from '../bench/runners.ts';
import { formatResults } from '../bench/tables.ts';
import { measureThroughput } from '../bench/throughput.ts';
import { loadOnnxRuntime, type OnnxRuntime } from '../shared/onnxruntime.ts';
import { parseCount, parseSize, precisionOption } from '../shared/options.ts';
import { assertNotRead, STDOUT, writeResult } from '../shared/output.ts';
import { notify, print, reportError } from '../shared/report.ts';
import { readDependency, readOwnPackage } from '../shared/versions.ts';

type Size = readonly [width: number, height: number];

/** Results of thousands of cases. */
const MAX_RESULTS = 2 ** 28;

const DEFAULT_SIZE: Size = [640, 480];

interface BenchOptions {
  models: string[];
  size?: Size[];
  batch?: number[];
  providers?: Provider[];
  runs: number;
  budget: number;
  kernels?: true;
  throughput?: true;
  coldStart?: true;
  parity?: true;
  times: boolean;
  ceilings?: string;
  autotune?: true;
  precision: Precision;
  markdown?: true;
  json?: string;
  chart?: string;
  compare?: string;
  pack?: string;
}

const DEFAULT_MODELS = ['500m_kps', '2.5g_kps', '10g_kps'];
const PACKED_MODELS = [...DEFAULT_MODELS, '34g'];

/** Options of measuring, which the pack's own program has others for. */
const NOT_PACKED = [
  ...['size', 'batch', 'providers', 'runs', 'budget', 'autotune', 'precision', 'kernels', 'throughput', 'coldStart'],
  ...['parity', 'times', 'ceilings', 'markdown', 'json', 'chart', 'compare'],
];

type LoadedModel = Pick<Workload, 'name' | 'bytes' | 'scoreThreshold'>;

export function addBench(program: Command): void {
  program
    .command('bench')
    .description(
      "Time detectors and networks on this machine's adapter, against onnxruntime where onnxruntime-node is installed and against what the adapter does at best.",
    )
    .option(
      '-m, --models <models...>',
      'files, or published architectures, which get random weights: see scrfd models synthesize',
      DEFAULT_MODELS,
    )
    .addOption(
      collecting('--size <WxH...>', 'sizes of the input (default: 640x480, or what the file fixes)', parseSize),
    )
    .addOption(collecting('--batch <N...>', 'pictures at a time (default: 1)', parseCount))
    .addOption(new Option('--providers <names...>', 'whom to time (default: all)').choices(PROVIDERS))
    .option('--runs <N>', 'timed runs of each, back to back (sustained) and again with rests', parseCount, 20)
    .option(
      '--budget <seconds>',
      'time after which a slow provider gets no more than three runs of either kind',
      parseCount,
      30,
    )
    .option('--autotune', "time each convolution's kernels first and take the fastest: see the detector's option")
    .addOption(precisionOption().default('f32'))
    .option('--kernels', 'a table of every kernel launch, each timed in a compute pass of its own')
    .option('--throughput', 'pictures a second with 1, 2 and 4 calls under way, and in batches of 8 and 32')
    .option('--cold-start', 'the first detection of new processes, without and with a shader cache')
    .option('--parity', "every output by every method of convolution, beside that of onnxruntime's CPU provider")
    .addOption(
      new Option('--no-times', 'time no provider: only what else is asked for').conflicts([
        'providers',
        'chart',
        'compare',
      ]),
    )
    .option('--ceilings <file>', "take the adapter's ceilings from an earlier --json of the same adapter")
    .option('--markdown', 'print tables in Markdown')
    .option('--json <file>', 'write all results as JSON, as they come')
    .option('--chart <file>', 'write a chart as SVG')
    .option('--compare <file>', 'set against the results of an earlier --json, of the same adapter')
    .addOption(
      new Option(
        '--pack <dir>',
        'instead of measuring, write a folder that measures and checks a Linux machine without Node and network',
      ).conflicts(NOT_PACKED),
    )
    .action((options: BenchOptions, command: Command) => {
      const { pack: folder } = options;
      if (folder === undefined) return bench(options);
      const models = command.getOptionValueSource('models') === 'default' ? PACKED_MODELS : options.models;
      return pack(folder, models);
    });
}

async function pack(given: string, models: readonly string[]): Promise<void> {
  const folder = resolve(given);
  await writePack(folder, { models, commit: readCommit() });
  const archive = `tar -C ${dirname(folder)} -cJf ${folder}.tar.xz ${basename(folder)}`;
  print(`${folder}: on the other machine, sh run.sh measures; ${archive} packs it\n`);
}

/** An option that may be given several values. */
function collecting<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser((text, previous: T[] = []) => [...previous, parse(text)]);
}

async function bench(options: BenchOptions): Promise<void> {
  const { compare, json, chart, markdown } = options;
  const read = [compare, options.ceilings].filter((file) => file !== undefined);
  const targets = { '--json': json, '--chart': chart, 'standard output': STDOUT } as const;
  await assertNotRead(targets, [...options.models, ...read]);
  const old = compare === undefined ? undefined : await readResults(compare);
  const earlier = options.ceilings === undefined ? undefined : await readResults(options.ceilings);
  const models = await Promise.all(options.models.map(loadModel));
  const ort = await findOnnxRuntime(options);
  // one a process, and the first call decides
  await loadGpu({ exactTimestamps: true, halfFloatsOnNvidia: options.precision === 'f16' });
  const context = await GpuContext.open(nodePlatform, undefined);
  try {
    const adapter = describeAdapter(context);
    // checked before minutes are spent, and once instead of by every provider
    context.assertPrecision(options.precision);
    for (const each of [old, earlier]) if (each) assertSameAdapter(each, adapter);
    if (!earlier) notify('ceilings');
    const ceilings = earlier?.ceilings ?? (await measureRoofline(context));
    const results: Results & Measured = {
      adapter,
      cpu: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} threads`,
      versions: {
        // with the options, so that results tell how they were made
        'scrfd-webgpu': [readOwnPackage().version, options.autotune && 'tuned', options.precision]
          .filter(Boolean)
          .join(' '),
        node: process.version,
        webgpu: readDependency('webgpu') ?? 'unknown',
        ...(ort && { onnxruntime: ort.env.versions.node ?? 'unknown' }),
      },
      commit: readCommit(),
      ceilings,
      ...{ rows: [], coldStarts: [], kernels: [], throughputs: [], parities: [] },
    };
    // time and again: minutes of measuring may be cut short
    const keep = async () => {
      if (json !== undefined) await writeText(json, `${JSON.stringify(results, null, 2)}\n`);
    };
    await keep();
    await measureModels(context, models, ort, options, results, keep);
    print(formatResults(results, markdown ? 'markdown' : 'text'));
    if (old) print(`\n${compareResults(old, results)}`);
    if (chart !== undefined) await writeText(chart, drawChart(results));
    if (!results.parities.every(isSame)) process.exitCode = 1;
  } finally {
    context.dispose();
  }
}

function describeAdapter({ device }: GpuContext): string {
  const { vendor, architecture, device: name, description } = device.adapterInfo;
  return [vendor, architecture, name, description].filter(Boolean).join(' ');
}

/** The checkout's commit; null where this is no checkout of the project itself. */
function readCommit(): string | null {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--show-prefix') === '' ? git('describe', '--always', '--dirty', '--exclude=*') : null;
  } catch {
    return null;
  }
}

async function loadModel(name: string): Promise<LoadedModel> {
  if (existsSync(name)) {
    return { name: basename(name), bytes: await readSource(name, MODEL_FILE, {}), scoreThreshold: 0.5 };
  }
  try {
    // random weights score at random: no faces, as in most of a picture
    return { name, bytes: synthesizeModel(findArchitecture(name)), scoreThreshold: 1 };
  } catch (error) {
    throw new Error(`${name}: no such file; ${(error as Error).message}`, { cause: error });
  }
}

/** onnxruntime; null when nobody asked for it and it is not installed. */
async function findOnnxRuntime({ providers, parity }: BenchOptions): Promise<OnnxRuntime | null> {
  const asked = parity || providers?.some((name) => name.startsWith('ort-'));
  if (providers && !asked) return null;
  try {
    return await loadOnnxRuntime('bench');
  } catch (error) {
    if (asked) throw error;
    notify((error as Error).message);
    return null;
  }
}

/** What models are measured for, as it comes. */
interface Measured {
  readonly rows: Row[];
  readonly coldStarts: ColdStart[];
  readonly kernels: KernelTable[];
  readonly throughputs: Throughput[];
  readonly parities: Parity[];
}

async function measureModels(
  context: GpuContext,
  models: readonly LoadedModel[],
  ort: OnnxRuntime | null,
  { size: sizes, batch: batches = [1], ...options }: BenchOptions,
  { rows, coldStarts, kernels, throughputs, parities }: Measured,
  keep: () => Promise<void>,
): Promise<void> {
  const { precision, autotune = false } = options;
  for (const loaded of models) {
    const { model } = await openModel(nodePlatform, loaded.bytes);
    for (const size of sizes ?? [declaredSize(model) ?? DEFAULT_SIZE]) {
      const workOf = (batch: number): Workload => {
        const flops = 2 * countWork(model, [batch, 3, size[1], size[0]]).macs;
        return { ...loaded, model, size, batch, flops, autotune, precision };
      };
      for (const batch of batches) {
        const work = workOf(batch);
        if (options.times) {
          rows.push(...(await measureCase(context, work, ort, options)));
          await keep();
        }
        if (options.kernels) {
          const steps = await timeKernels(nodePlatform, model, work, options.runs, {
            device: context.device,
            autotune,
            precision,
          });
          if (!steps) throw new Error('--kernels needs an adapter with the feature timestamp-query');
          kernels.push({ model: work.name, size, batch, steps });
          await keep();
        }
        if (!options.parity) continue;
        for await (const parity of checkParity(nodePlatform, context, work, ort!)) {
          parities.push(parity);
          await keep();
        }
      }
      if (options.throughput) {
        notify(`${loaded.name} ${size.join('×')}: throughput`);
        const work = { ...loaded, model, size, autotune, precision };
        throughputs.push(...(await measureThroughput(nodePlatform, context.device, work, options.budget * 1000)));
        await keep();
      }
      if (options.coldStart) {
        notify(`${loaded.name} ${size.join('×')}: cold start`);
        coldStarts.push(...(await measureColdStarts(workOf(1))));
        await keep();
      }
    }
  }
}

/** A provider that cannot run a case is reported and left out. */
async function measureCase(
  context: GpuContext,
  work: Workload,
  ort: OnnxRuntime | null,
  { providers = [...PROVIDERS], runs, budget }: Omit<BenchOptions, 'size' | 'batch'>,
): Promise<Row[]> {
  const name = caseOf({ ...work, model: work.name });
  const runners: Runner[] = [];
  try {
    for (const provider of providers) {
      notify(`${name}: ${provider}`);
      let runner: Runner | null = null;
      try {
        runner = await open(context, provider, work, ort);
        // some files open and do not run
        await runner?.run();
        if (runner) runners.push(runner);
      } catch (error) {
        reportError(error, `${name}: ${provider}`);
        await runner?.dispose();
      }
    }
    const { software } = context.traits;
    return await measure(runners, work, { runs, budgetMs: budget * 1000, software });
  } finally {
    for (const runner of runners) await runner.dispose();
  }
}

async function open(context: GpuContext, provider: Provider, work: Workload, ort: OnnxRuntime | null) {
  if (provider === 'scrfd-webgpu') return openDetector(nodePlatform, context.device, work);
  if (provider === 'scrfd-network') return openNetwork(nodePlatform, context.device, work);
  return ort && openOnnxRuntime(ort, provider, work);
}

async function readResults(path: string) {
  try {
    return parseResults(new TextDecoder().decode(await readRegularFile(path, MAX_RESULTS, undefined)));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

function writeText(path: string, text: string): Promise<void> {
  return writeResult(path, () => text, Error);
}
