// The program of a pack, which run.sh starts: measures and checks by what write-pack.ts has put into the folder.
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir, release, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { AdapterTraits } from '../../../kernels/dispatch.ts';
import type { Report } from '../../doctor/examine.ts';
import { readVulkan } from '../../doctor/vulkan.ts';
import { parseCount } from '../../shared/options.ts';
import { notify, reportError } from '../../shared/report.ts';
import { caseOf, isSame, type Results } from '../results.ts';
import { formatPackResults, type Mode, type PackInfo, type PackResults, type TestFile } from './report.ts';

interface MeasureOptions {
  out: string;
  seconds: number;
  quick?: boolean;
}

/** A process of the measurement, which writes JSON. */
interface Step {
  readonly name: string;
  /** The script and its arguments, given the seconds that are left. */
  args(seconds: number): readonly string[];
  keep(json: unknown): void;
  /** A file without which it cannot run. */
  readonly needs?: string;
}

/** A step that times, or all that only check, which run side by side. */
interface Stage {
  readonly steps: readonly Step[];
  /** The part of the time that it is likely to need, beside the others'. */
  readonly weight: number;
}

/** The folder of the pack: this file lies in node_modules/scrfd-webgpu/dist/cli/bench/pack of it. */
const ROOT = fileURLToPath(new URL('../../../../../../', import.meta.url));
const CLI = fileURLToPath(new URL('../../main.js', import.meta.url));
const TESTS = join(ROOT, 'kernel-tests', 'kernel-tests.mjs');

/** Seconds on 16 cores with an NVIDIA H100, roughly: of a model, and of all checks by one process. */
const WEIGHTS = { default: 30, f16: 15, tuned: 20, checks: 160, quickChecks: 15 };
/** In less time nothing is begun. */
const LEAST_SECONDS = 6;
/** For the test under way when the time is up. */
const MARGIN_SECONDS = 5;
/** Where containers have a manifest of NVIDIA's driver that the Vulkan loader does not find. */
const NVIDIA_MANIFEST = '/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json';
const NO_LOADER =
  "libvulkan.so.1, Vulkan's loader, is neither on this machine nor in the pack. It is in the package libvulkan1 of Debian " +
  'and Ubuntu, elsewhere in vulkan-loader; without a network: dpkg -x libvulkan1_….deb / && ldconfig';

const MODE_OPTIONS: Readonly<Record<Mode, readonly string[]>> = {
  default: [],
  f16: ['--precision', 'f16'],
  tuned: ['--autotune'],
};
const OWN_PROVIDERS = ['--providers', 'scrfd-webgpu', 'scrfd-network'];
const QUICK_OPTIONS = ['--size', '160x128', '--runs', '2', '--budget', '2'];
/** Where 20 runs, and 30 seconds a provider, are the defaults. */
const WHOLE_OPTIONS = ['--runs', '10', '--budget', '3'];
/** Parts of the names of the kernel tests that are run by `--quick`. */
const QUICK_TESTS = ['grouped', 'tensor'];

await new Command('run.sh')
  .description('Measures and checks scrfd-webgpu on this machine. Writes results.json, results.md and log.txt.')
  .option('--out <dir>', 'where to write them', join(ROOT, 'results'))
  .option('--seconds <N>', 'time for all of it: what does not fit is left out, and named', parseCount, 240)
  .option('--quick', 'the first model alone, in small, and a part of the kernel tests: for software adapters')
  .addHelpText('after', "\nVK_DRIVER_FILES chooses the driver, by its manifest's path.")
  .action(measure)
  .parseAsync()
  .catch(reportError);

async function measure({ out, seconds, quick = false }: MeasureOptions): Promise<void> {
  const pack = JSON.parse(await readFile(join(ROOT, 'pack.json'), 'utf8')) as PackInfo;
  const folder = await mkdtemp(join(tmpdir(), 'scrfd-pack-'));
  await mkdir(out, { recursive: true });
  const log = createWriteStream(join(out, 'log.txt'));
  try {
    const env = environment(folder);
    const doctor = await askDoctor(env);
    const { what, fix } = doctor.problems.find(({ fatal }) => fatal) ?? {};
    if (doctor.compute === null) throw new Error(`${what}. ${fix}`);
    const found: PackResults = {
      ...{ pack, machine: { node: process.version, system: `Linux ${release()}`, nvidia: await askNvidia(), doctor } },
      ...{ seconds: 0, results: {}, kernelTests: [], failures: [], missing: [] },
    };
    const processes = countProcesses(doctor.compute.traits);
    const stages = stagesOf(found, { folder, processes, quick });
    for (const [i, stage] of stages.entries()) {
      const now = performance.now() / 1000;
      const later = stages.slice(i + 1).reduce((sum, { weight }) => sum + weight, 0);
      // its part counts double: one that is slow may take longer, at the cost of all that follow
      const part = (2 * stage.weight) / (2 * stage.weight + later);
      await runStage(stage, { found, env, folder, log, processes, end: now + (seconds - now) * part });
      found.seconds = performance.now() / 1000;
      await writeFile(join(out, 'results.json'), `${JSON.stringify(found, null, 2)}\n`);
      await writeFile(join(out, 'results.md'), formatPackResults(found, 'markdown'));
    }
    process.stdout.write(formatPackResults(found, 'text'));
    if (found.failures.length > 0) process.exitCode = 1;
  } finally {
    log.end();
    await finished(log);
    await rm(folder, { recursive: true });
  }
}

/** How many processes check side by side. A software adapter uses every core by itself. */
function countProcesses({ software }: AdapterTraits): number {
  return software ? 1 : Math.max(1, Math.min(4, Math.floor(availableParallelism() / 4)));
}

/** What the processes run in: caches of their own, a loader of Vulkan and a driver where they would not find one. */
function environment(folder: string): NodeJS.ProcessEnv {
  const shaders = join(folder, 'shaders');
  // NVIDIA's driver goes without a cache where the folder is missing
  mkdirSync(shaders);
  const env: NodeJS.ProcessEnv = {
    XDG_RUNTIME_DIR: folder,
    ...process.env,
    ...{ SCRFD_OFFLINE: '1', SCRFD_HOME: join(folder, 'home') },
    ...{ MESA_SHADER_CACHE_DIR: shaders, __GL_SHADER_DISK_CACHE_PATH: shaders },
  };
  if (!hasLibrary('libvulkan.so.1')) {
    if (!existsSync(join(ROOT, 'lib', 'libvulkan.so.1'))) throw new Error(NO_LOADER);
    notify("libvulkan.so.1 is not to be loaded on this machine: the pack's own is used");
    env.LD_LIBRARY_PATH = [join(ROOT, 'lib'), env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
  }
  const { drivers, override } = readVulkan(env, homedir());
  if (!override && !drivers.some((path) => path.includes('nvidia')) && existsSync(NVIDIA_MANIFEST)) {
    notify(`driver: ${NVIDIA_MANIFEST}`);
    env.VK_DRIVER_FILES = NVIDIA_MANIFEST;
  }
  return env;
}

/** Whether the dynamic linker finds a library and can load it: Node then says only that it is no addon. */
function hasLibrary(name: string): boolean {
  try {
    process.dlopen({ exports: {} }, name);
    return true;
  } catch (error) {
    return (error as Error).message.includes('did not self-register');
  }
}

/** Runs a program to its end, whatever it exits with. */
function outputOf(file: string, args: readonly string[], env = process.env): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: 60_000, maxBuffer: 2 ** 24 }, (error, stdout) => {
      resolve(error && typeof error.code !== 'number' ? null : stdout);
    });
  });
}

/** Sharp and models are of no use here: that they are missing is no matter. */
async function askDoctor(env: NodeJS.ProcessEnv): Promise<Report> {
  const json = await outputOf(process.execPath, [CLI, 'doctor', '--json'], env);
  if (!json) throw new Error('scrfd doctor did not end: the graphics driver hangs or crashes');
  return JSON.parse(json) as Report;
}

async function askNvidia(): Promise<string | null> {
  const fields = 'name,driver_version,clocks.max.sm,clocks.max.mem,power.limit';
  return (await outputOf('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader']))?.trim() || null;
}

/** A model, and how its kernels are run. */
type Way = readonly [model: string, mode: Mode];

/** What is measured, what matters most first. */
function stagesOf(
  found: PackResults,
  { folder, processes, quick }: { readonly folder: string; readonly processes: number; readonly quick: boolean },
): Stage[] {
  const { models } = found.pack;
  const [first, last] = [models[0]!, models.at(-1)!];
  const hasTimestamps = (found.machine.doctor as Report).adapters[0]!.features.includes('timestamp-query');
  const kernels = hasTimestamps ? ['--kernels'] : [];
  const nameOf = ([model, mode]: Way) => `${model}, ${mode}`;
  const begin: Way = [first, 'default'];
  const ceilings = jsonOf(folder, nameOf(begin));
  const bench = ([model, mode]: Way, options: readonly string[]): readonly string[] => {
    const file = existsSync(join(ROOT, model)) ? join(ROOT, model) : model;
    const all = [...MODE_OPTIONS[mode], ...(quick ? QUICK_OPTIONS : WHOLE_OPTIONS), ...options];
    return [CLI, 'bench', '--models', file, ...all, ...(existsSync(ceilings) ? ['--ceilings', ceilings] : [])];
  };
  const keepOf = (mode: Mode) => (json: unknown) => keepResults(found, mode, json as Results);
  // the first model matters most, and tuning is timed
  const isCheckedAside = ([model, mode]: Way) => model !== first && mode !== 'tuned';
  const time = (way: Way): Stage => {
    const [, mode] = way;
    // onnxruntime takes a minute to compile on software adapters
    const isWhole = mode === 'default' && !quick;
    const providers = [...OWN_PROVIDERS, ...(isWhole ? ['ort-webgpu'] : [])];
    const parity = isCheckedAside(way) ? [] : ['--parity'];
    const options = [...providers, ...kernels, ...parity, ...(isWhole ? ['--throughput', '--cold-start'] : [])];
    const step = { name: nameOf(way), args: () => bench(way, options), keep: keepOf(mode) };
    return { steps: [step], weight: WEIGHTS[mode] };
  };
  const check = (way: Way): Step => ({
    name: `${nameOf(way)}, parity`,
    args: () => bench(way, ['--no-times', '--parity']),
    keep: keepOf(way[1]),
    // measured beside other work they would be too low
    needs: ceilings,
  });
  const kernelTests: Step = {
    name: 'kernel tests',
    args: (seconds) => [
      ...[TESTS, '--processes', String(processes), '--seconds', String(Math.floor(seconds - MARGIN_SECONDS))],
      ...(quick ? QUICK_TESTS : []),
    ],
    keep: (json) => keepTests(found, json as TestFile[]),
  };
  const ends = [...new Set([first, last])];
  const ways: Way[] = quick
    ? [[first, 'f16']]
    : [
        ...models.slice(1).map((model): Way => [model, 'default']),
        ...ends.flatMap((model): Way[] => [
          [model, 'f16'],
          [model, 'tuned'],
        ]),
      ];
  const checks = [...(existsSync(TESTS) ? [kernelTests] : []), ...ways.filter(isCheckedAside).map(check)];
  const weight = quick ? WEIGHTS.quickChecks : WEIGHTS.checks / processes;
  return [time(begin), ...(checks.length > 0 ? [{ steps: checks, weight }] : []), ...ways.map(time)];
}

function keepTests(found: PackResults, files: readonly TestFile[]): void {
  found.kernelTests = files;
  const failed = files.filter(({ failures }) => failures.length > 0);
  found.failures.push(...failed.map(({ file, failures }) => `${file}: ${failures.length} tests failed`));
  const notRun = files.reduce((sum, file) => sum + file.notRun, 0);
  if (notRun > 0) found.missing.push(`${notRun} of the kernel tests: not run before the time was up`);
  const notBegun = files.filter((file) => file.passed + file.skipped + file.notRun + file.failures.length === 0);
  if (notBegun.length > 0) found.missing.push(`${notBegun.length} files of the kernel tests: the time was up`);
}

function keepResults(found: PackResults, mode: Mode, more: Results): void {
  const { rows = [], coldStarts = [], kernels = [], throughputs = [], parities = [] } = found.results[mode] ?? {};
  found.results[mode] = {
    ...more,
    commit: found.pack.commit,
    rows: [...rows, ...more.rows],
    coldStarts: [...coldStarts, ...more.coldStarts],
    kernels: [...kernels, ...more.kernels],
    throughputs: [...throughputs, ...more.throughputs],
    parities: [...parities, ...more.parities],
  };
  const differing = more.parities.filter((parity) => !isSame(parity));
  found.failures.push(...differing.map((parity) => `${caseOf(parity)}, ${mode}, ${parity.way}: not as onnxruntime's`));
}

/** Where a step writes. */
function jsonOf(folder: string, name: string): string {
  return join(folder, `${encodeURIComponent(name)}.json`);
}

interface Context {
  readonly found: PackResults;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly log: NodeJS.WritableStream;
}

interface StageContext extends Context {
  readonly processes: number;
  /** Seconds since the beginning. */
  readonly end: number;
}

async function runStage({ steps }: Stage, { processes, end, ...context }: StageContext): Promise<void> {
  const queue = steps.values();
  const run = async () => {
    for (const step of queue) {
      const seconds = end - performance.now() / 1000;
      const { name, needs } = step;
      if (seconds < LEAST_SECONDS) context.found.missing.push(`${name}: the time was up`);
      else if (needs && !existsSync(needs)) context.found.missing.push(`${name}: there are no ceilings`);
      else await runStep(step, { ...context, seconds, isAlone: steps.length === 1 });
    }
  };
  // one more, since the first runs the kernel tests, which are in processes of their own
  await Promise.all(Array.from({ length: processes === 1 ? 1 : processes + 1 }, run));
}

interface StepContext extends Context {
  readonly seconds: number;
  /** Else its lines in the log have its name in front. */
  readonly isAlone: boolean;
}

/** Runs a step and keeps what it writes; what it says goes to the log, and to stderr what is for people. */
async function runStep(step: Step, { found, env, folder, log, seconds, isAlone }: StepContext): Promise<void> {
  const file = jsonOf(folder, step.name);
  const write = (line: string) => log.write(`${isAlone ? '' : `${step.name}: `}${line}\n`);
  notify(`${step.name}, ${seconds.toFixed(0)} s at most`);
  log.write(`\n=== ${step.name}\n`);
  const child = spawn(process.execPath, [...step.args(seconds), '--json', file], {
    ...{ env, timeout: Math.ceil(seconds * 1000), killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] },
  });
  createInterface(child.stdout!).on('line', write);
  let said = '';
  createInterface(child.stderr!).on('line', (line) => {
    write(line);
    if (!line.startsWith('scrfd: ')) return;
    said = line.slice('scrfd: '.length);
    notify(`  ${said}`);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...ended) => resolve(ended));
  });
  const isWritten = existsSync(file);
  const json: unknown = isWritten ? JSON.parse(await readFile(file, 'utf8')) : null;
  const before = found.failures.length;
  if (isWritten) step.keep(json);
  const ended = `${step.name}: ${signal ?? `exit code ${code}`}, see log.txt`;
  if (child.killed) found.missing.push(`${step.name}: ${isWritten ? 'a part: ' : ''}stopped when its time was up`);
  else if (!isWritten && said.includes('shader-f16')) found.missing.push(`${step.name}: ${said}`);
  else if (!isWritten) found.failures.push(`${ended}: ${said}`);
  else if (signal) found.failures.push(ended);
  // another's network that does not run here is no failure of ours
  else if (code !== 0 && found.failures.length === before) found.missing.push(ended);
}
