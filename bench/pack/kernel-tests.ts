// Runs the bundled kernel tests that lie beside it:
// node kernel-tests.mjs [--json FILE] [--seconds N] [WORD…]
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startTests, type Task, type VitestRunner } from '@vitest/runner';
import type { TestFile } from '../../src/cli/bench/pack/report.ts';
import { loadGpu } from '../../src/node/dawn.ts';

const TIMEOUT_MS = 60_000;

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, seconds: { type: 'string' } },
});
const deadline = values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds) * 1000;

const root = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.mjs') && (words.length === 0 || words.some((word) => file.includes(word))))
  .sort();

const runner: VitestRunner = {
  config: {
    ...{ root, setupFiles: [], name: undefined, passWithNoTests: false, testNamePattern: undefined, allowOnly: false },
    sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' },
    ...{ chaiConfig: undefined, maxConcurrency: 1, testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS, retry: 0 },
    ...{ includeTaskLocation: false, tags: [], tagsFilter: undefined, strictTags: false },
  },
  importFile: (path) => import(pathToFileURL(path).href),
  onBeforeRunTask(test) {
    if (performance.now() > deadline) test.mode = 'todo';
  },
};

/** The tests of a suite, each with the names of those around it but the file's. */
function testsOf(task: Task, around: readonly string[] = []): { readonly name: string; readonly task: Task }[] {
  const names = 'filepath' in task ? [] : [...around, task.name];
  if (task.type === 'test') return [{ name: names.join(' > '), task }];
  // what fails while a suite is collected or set up is no test's
  const own = task.result?.errors ? [{ name: [...names, 'outside of tests'].join(' > '), task }] : [];
  return [...own, ...task.tasks.flatMap((each) => testsOf(each, names))];
}

function summarize(file: string, tests: ReturnType<typeof testsOf>, seconds: number): TestFile {
  const count = (fits: (task: Task) => boolean) => tests.filter(({ task }) => fits(task)).length;
  const failed = tests.filter(({ task }) => task.result?.state === 'fail');
  return {
    file,
    passed: count(({ result }) => result?.state === 'pass'),
    skipped: count(({ mode }) => mode === 'skip'),
    notRun: count(({ mode }) => mode === 'todo'),
    failures: failed.map(({ name, task }) => ({
      test: name,
      message: (task.result?.errors ?? []).map(({ message }) => message).join('\n'),
    })),
    seconds,
  };
}

// one a process, and the first call decides
await loadGpu({ halfFloatsOnNvidia: true });
const done: TestFile[] = [];
for (const path of files) {
  const file = path.replace(/\.mjs$/, '.ts');
  const start = performance.now();
  const [task] = await startTests([`${root}/${path}`], runner);
  const summary = summarize(file, testsOf(task!), (performance.now() - start) / 1000);
  done.push(summary);
  if (values.json !== undefined) {
    // whole at any time: whoever waits may stop it
    writeFileSync(`${values.json}.part`, `${JSON.stringify(done, null, 2)}\n`);
    renameSync(`${values.json}.part`, values.json);
  }
  const { passed, failures, skipped, seconds } = summary;
  const rest = summary.notRun > 0 ? `, ${summary.notRun} not run` : '';
  console.log(
    `${file}: ${passed} passed, ${failures.length} failed, ${skipped} skipped${rest}, ${seconds.toFixed(1)} s`,
  );
  for (const { test, message } of failures) console.log(`  FAILED ${test}\n    ${message.replaceAll('\n', '\n    ')}`);
}
process.exit(done.some(({ failures }) => failures.length > 0) ? 1 : 0);
