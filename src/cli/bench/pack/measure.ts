// The program of a pack, which run.sh starts: measures and checks by what write-pack.ts has put into the folder.
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, release, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Report } from '../../doctor/examine.ts';
import { readVulkan } from '../../doctor/vulkan.ts';
import { parseCount } from '../../shared/options.ts';
import { notify, reportError } from '../../shared/report.ts';
import { caseOf, isSame, type Results } from '../results.ts';
import { formatPackResults, type Mode, type PackInfo, type PackResults, type TestFile } from './report.ts';

interface MeasureOptions {
  out: string;
  seconds: number;
  quick?: true;
}

/** A process of the measurement, which writes JSON. */
interface Step {
  readonly name: string;
  /** The script and its arguments, given the seconds that are left. */
  args(seconds: number): readonly string[];
  keep(json: unknown): void;
}

/** The folder of the pack: this file lies in node_modules/scrfd-webgpu/dist/cli/bench/pack of it. */
const ROOT = fileURLToPath(new URL('../../../../../../', import.meta.url));
const CLI = fileURLToPath(new URL('../../main.js', import.meta.url));
const TESTS = join(ROOT, 'kernel-tests', 'kernel-tests.mjs');

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
const WHOLE_OPTIONS = ['--runs', '10', '--budget', '5'];
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

async function measure({ out, seconds, quick }: MeasureOptions): Promise<void> {
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
    const steps = stepsOf(found, quick);
    for (const [i, step] of steps.entries()) {
      const left = seconds - performance.now() / 1000;
      // one that is slow leaves time for others
      const share = i === steps.length - 1 ? left : left / 2;
      if (share < LEAST_SECONDS) found.missing.push(`${step.name}: the time was up`);
      else await runStep(step, { found, env, folder, log, seconds: share });
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

/** What the processes run in: caches of their own, a loader of Vulkan and a driver where they would not find one. */
function environment(folder: string): NodeJS.ProcessEnv {
  const shaders = join(folder, 'shaders');
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

/** What is measured, what matters most first. */
function stepsOf(found: PackResults, quick = false): Step[] {
  const { models } = found.pack;
  const [first, last] = [models[0]!, models.at(-1)!];
  const hasTimestamps = (found.machine.doctor as Report).adapters[0]!.features.includes('timestamp-query');
  const options = [...(quick ? QUICK_OPTIONS : WHOLE_OPTIONS), '--parity', ...(hasTimestamps ? ['--kernels'] : [])];
  const bench = (model: string, mode: Mode): Step => {
    const name = `${model}, ${mode}`;
    const file = existsSync(join(ROOT, model)) ? join(ROOT, model) : model;
    // onnxruntime takes a minute to compile on software adapters
    const isWhole = mode === 'default' && !quick;
    const providers = [...OWN_PROVIDERS, ...(isWhole ? ['ort-webgpu'] : [])];
    const more = isWhole ? ['--throughput', '--cold-start'] : [];
    return {
      name,
      args: () => [CLI, 'bench', '--models', file, ...providers, ...MODE_OPTIONS[mode], ...options, ...more],
      keep: (json) => keepResults(found, mode, json as Results),
    };
  };
  const kernelTests: Step = {
    name: 'kernel tests',
    args: (seconds) => [
      TESTS,
      '--seconds',
      String(Math.floor(seconds - MARGIN_SECONDS)),
      ...(quick ? QUICK_TESTS : []),
    ],
    keep(json) {
      found.kernelTests = json as TestFile[];
      const failed = found.kernelTests.filter(({ failures }) => failures.length > 0);
      found.failures.push(...failed.map(({ file, failures }) => `${file}: ${failures.length} tests failed`));
      const notRun = found.kernelTests.reduce((sum, file) => sum + file.notRun, 0);
      if (notRun > 0) found.missing.push(`${notRun} of the kernel tests: their time was up`);
    },
  };
  const begin = [bench(first, 'default'), ...(existsSync(TESTS) ? [kernelTests] : [])];
  if (quick) return [...begin, bench(first, 'f16')];
  const others = models.slice(1);
  const ends = new Set([first, last]);
  return [
    ...begin,
    ...others.map((model) => bench(model, 'default')),
    ...[...ends].flatMap((model) => [bench(model, 'f16'), bench(model, 'tuned')]),
  ];
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

interface StepContext {
  readonly found: PackResults;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly log: NodeJS.WritableStream;
  readonly seconds: number;
}

/** Runs a step and keeps what it writes; what it says goes to the log, and to stderr what is for people. */
async function runStep(step: Step, { found, env, folder, log, seconds }: StepContext): Promise<void> {
  const file = join(folder, 'step.json');
  await rm(file, { force: true });
  notify(`${step.name}, ${seconds.toFixed(0)} s at most`);
  log.write(`\n=== ${step.name}\n`);
  const child = spawn(process.execPath, [...step.args(seconds), '--json', file], {
    ...{ env, timeout: Math.ceil(seconds * 1000), killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] },
  });
  child.stdout!.pipe(log, { end: false });
  let said = '';
  createInterface(child.stderr!).on('line', (line) => {
    log.write(`${line}\n`);
    if (!line.startsWith('scrfd: ')) return;
    said = line.slice('scrfd: '.length);
    notify(`  ${said}`);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...ended) => resolve(ended));
  });
  const before = found.failures.length;
  const isWritten = existsSync(file);
  if (isWritten) step.keep(JSON.parse(await readFile(file, 'utf8')));
  const ended = `${step.name}: ${signal ?? `exit code ${code}`}, see log.txt`;
  if (child.killed) found.missing.push(`${step.name}: ${isWritten ? 'a part: ' : ''}stopped when its time was up`);
  else if (!isWritten && said.includes('shader-f16')) found.missing.push(`${step.name}: ${said}`);
  else if (!isWritten) found.failures.push(`${ended}: ${said}`);
  // another's network that does not run here is no failure of ours
  else if (code !== 0 && found.failures.length === before) found.missing.push(ended);
}
