// Runs the bundled kernel tests that lie beside it, in processes of their own: nothing here is timed.
// node kernel-tests.mjs [--json FILE] [--seconds N] [--processes N] [WORD…]
import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type File, startTests, type Task, type VitestRunner } from '@vitest/runner';
import type { TestFile } from '../../src/cli/bench/pack/report.ts';
import { loadGpu } from '../../src/node/dawn.ts';

const TIMEOUT_MS = 60_000;
/** For the test under way when the time is up. */
const GRACE_MS = 4000;

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    seconds: { type: 'string' },
    processes: { type: 'string', default: '1' },
    /** Runs the files that it gets as messages, until this time since 1970. */
    until: { type: 'string' },
  },
});

const file = fileURLToPath(import.meta.url);
const root = dirname(file);

/** What a worker says of a file: again and again, and at last that it is done. */
interface Message {
  readonly summary: TestFile;
  readonly isDone: boolean;
}

/** The tests of a suite, each with the names of those around it but the file's. */
function testsOf(task: Task, around: readonly string[] = []): { readonly name: string; readonly task: Task }[] {
  const names = 'filepath' in task ? [] : [...around, task.name];
  if (task.type === 'test') return [{ name: names.join(' > '), task }];
  // what fails while a suite is collected or set up is no test's
  const own = task.result?.errors ? [{ name: [...names, 'outside of tests'].join(' > '), task }] : [];
  return [...own, ...task.tasks.flatMap((each) => testsOf(each, names))];
}

const emptySummary = (path: string): TestFile => ({
  ...{ file: path.replace(/\.mjs$/, '.ts'), passed: 0, skipped: 0, notRun: 0, failures: [], seconds: 0 },
});

function summarize(path: string, root: File, seconds: number): TestFile {
  const tests = testsOf(root);
  const passed = tests.filter(({ task }) => task.result?.state === 'pass').length;
  const skipped = tests.filter(({ task }) => task.mode === 'skip').length;
  const failed = tests.filter(({ task }) => task.result?.state === 'fail');
  return {
    ...emptySummary(path),
    ...{ passed, skipped, notRun: tests.length - passed - skipped - failed.length, seconds },
    failures: failed.map(({ name, task }) => ({
      test: name,
      message: (task.result?.errors ?? []).map(({ message }) => message).join('\n'),
    })),
  };
}

/** Runs files as they come, until the other process goes. */
async function serve(until: number): Promise<void> {
  // one a process, and the first call decides
  await loadGpu({ halfFloatsOnNvidia: true });
  process.on('disconnect', () => process.exit());
  process.on('message', async (path: string) => {
    const start = performance.now();
    let collected: File | undefined;
    const report = (isDone: boolean) => {
      const seconds = (performance.now() - start) / 1000;
      process.send!({ summary: summarize(path, collected!, seconds), isDone } satisfies Message);
    };
    const runner: VitestRunner = {
      config: {
        ...{ root, setupFiles: [], name: undefined, passWithNoTests: false, testNamePattern: undefined },
        ...{ allowOnly: false, sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' } },
        ...{ chaiConfig: undefined, maxConcurrency: 1, testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS, retry: 0 },
        ...{ includeTaskLocation: false, tags: [], tagsFilter: undefined, strictTags: false },
      },
      importFile: (each) => import(pathToFileURL(each).href),
      onCollected([first]) {
        collected = first;
        report(false);
      },
      onBeforeRunTask(test) {
        if (Date.now() > until) test.mode = 'todo';
      },
      onAfterRunTask: () => report(false),
    };
    await startTests([`${root}/${path}`], runner);
    report(true);
  });
}

/** Hands the files out, each to the process that is free next, and one that died gets a successor. */
async function run(count: number): Promise<void> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.mjs') && (words.length === 0 || words.some((word) => path.includes(word))))
    .sort();
  const until = values.seconds === undefined ? Number.MAX_SAFE_INTEGER : Date.now() + Number(values.seconds) * 1000;
  const found = files.map(emptySummary);
  const queue = files.entries();
  const workers = new Set<ChildProcess>();
  let isOver = false;

  const write = () => {
    if (values.json === undefined) return;
    // whole at any time: whoever waits may stop it
    writeFileSync(`${values.json}.part`, `${JSON.stringify(found, null, 2)}\n`);
    renameSync(`${values.json}.part`, values.json);
  };
  const keep = (index: number, summary: TestFile) => {
    found[index] = summary;
    write();
  };
  const runFile = (worker: ChildProcess, path: string, index: number) =>
    new Promise<void>((resolve) => {
      const onMessage = ({ summary, isDone }: Message) => {
        keep(index, summary);
        if (isDone) end();
      };
      const onExit = (code: number | null, signal: string | null) => {
        const { failures, ...counts } = found[index]!;
        const failure = { test: 'its process', message: `ended with ${signal ?? `exit code ${code}`}` };
        if (!isOver) keep(index, { ...counts, failures: [...failures, failure] });
        end();
      };
      const end = () => {
        worker.off('message', onMessage).off('exit', onExit);
        print(found[index]!);
        resolve();
      };
      worker.on('message', onMessage).on('exit', onExit);
      // one that has gone is told by its exit
      worker.send(path, () => {});
    });
  const work = async () => {
    let worker: ChildProcess | undefined;
    const start = () => {
      const started = fork(file, ['--until', String(until)]);
      workers.add(started);
      return started.once('exit', () => {
        workers.delete(started);
        worker = undefined;
      });
    };
    for (const [index, path] of queue) {
      if (isOver) return;
      worker ??= start();
      await runFile(worker, path, index);
    }
  };
  const stop = () => {
    isOver = true;
    for (const worker of workers) worker.kill('SIGKILL');
  };
  write();
  const timer = values.seconds === undefined ? undefined : setTimeout(stop, until - Date.now() + GRACE_MS);
  await Promise.all(Array.from({ length: count }, work));
  clearTimeout(timer);
  // the workers go with it
  process.exit(found.some(({ failures }) => failures.length > 0) ? 1 : 0);
}

function print({ file, passed, failures, skipped, notRun, seconds }: TestFile): void {
  const rest = notRun > 0 ? `, ${notRun} not run` : '';
  console.log(
    `${file}: ${passed} passed, ${failures.length} failed, ${skipped} skipped${rest}, ${seconds.toFixed(1)} s`,
  );
  for (const { test, message } of failures) console.log(`  FAILED ${test}\n    ${message.replaceAll('\n', '\n    ')}`);
}

if (values.until === undefined) await run(Number(values.processes));
else await serve(Number(values.until));
