// npm run fuzz -- [target …] [--runs N] [--seed S] [--minutes M] [--keep FOLDER]
//
// Hands damaged inputs in, seeded, in processes with limits of time and memory. Minutes by default; `--runs 100000` or `--minutes 600` for
// longer. What is wrong is kept as a small file in test/fuzz/findings, where findings.test.ts hands it in again.

import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createRng } from '../support/rng.ts';
import type { Report } from './child.ts';
import { TARGETS } from './targets/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: 'Infinity' },
    keep: { type: 'string', default: fileURLToPath(new URL('findings', import.meta.url)) },
  },
});
const [runs, seed, minutes] = [values.runs, values.seed, values.minutes].map(Number) as [number, number, number];
const targets = positionals.length > 0 ? positionals : Object.keys(TARGETS);
const unknown = targets.find((name) => !TARGETS[name]);
if (unknown || ![runs, seed].every(Number.isInteger) || Number.isNaN(minutes)) {
  process.stderr.write(
    `expected targets of ${Object.keys(TARGETS).join(', ')} and numbers, got ${process.argv.slice(2)}\n`,
  );
  process.exit(2);
}

/** Of wall clock, for one input on a busy machine; CPU time is counted by the targets. */
const STALL_MS = 60_000;
/** A process that has run so many is replaced: what leaks shows in the soak test, not here. */
const RUNS_OF_A_PROCESS = 2000;
const HEAP_MB = 1024;

/** Ctrl-C ends the run with what was counted. */
const stop = new AbortController();

interface Totals {
  runs: number;
  readonly outcomes: Map<string, number>;
  readonly findings: Map<string, number>;
  /** Inputs that are being written. */
  readonly kept: Promise<void>[];
}

/** Runs inputs from a seed on. @returns how many were begun */
async function runProcess(name: string, first: number, count: number, totals: Totals): Promise<number> {
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [name, String(first), String(count)], {
    execArgv: ['--import', 'tsx', `--max-old-space-size=${HEAP_MB}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let [begun, stage, stalled, errors] = [0, 'start', false, ''];
  child.stderr!.on('data', (text) => {
    errors = `${errors}${text}`.slice(-2000);
  });
  const kill = () => {
    stalled = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(kill, STALL_MS);
  const end = () => child.kill('SIGKILL');
  stop.signal.addEventListener('abort', end);
  child.on('message', (report: Report) => {
    clearTimeout(timer);
    timer = setTimeout(kill, STALL_MS);
    stage = report.kind;
    if (report.kind === 'begin') begun++;
    if (report.kind === 'outcome') count1(totals.outcomes, report.outcome);
    if (report.kind === 'finding') totals.kept.push(found(name, first + begun - 1, report.what, totals));
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on('exit', (code, signal) => resolve([code, signal]));
  });
  clearTimeout(timer);
  stop.signal.removeEventListener('abort', end);
  if (code === 0 || stop.signal.aborted) return begun;
  const ended = stalled ? `stalls for ${STALL_MS / 1000} s` : `ends the process: ${signal ?? code}\n${errors}`;
  if (begun === 0) throw new Error(`${name}: the process does not start: ${ended}`);
  if (stage === 'reference') count1(totals.outcomes, 'ends onnxruntime');
  else totals.kept.push(found(name, first + begun - 1, ended, totals));
  return begun;
}

function count1(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Keeps the input of a new kind of finding, by where it comes from. */
async function found(name: string, seed: number, what: string, totals: Totals): Promise<void> {
  const kind = what
    .split('\n')
    .slice(0, 2)
    .join(' ')
    .replace(/"[^"]*"|[-\d.]+/g, '#');
  count1(totals.findings, kind);
  if (totals.findings.get(kind) !== 1) return;
  const input = await (await TARGETS[name]!()).make(createRng(seed));
  const file = `${values.keep}/${name}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  mkdirSync(values.keep, { recursive: true });
  writeFileSync(file, input);
  process.stdout.write(`${name} ${seed}: ${what}\n  kept as ${file}\n`);
}

process.once('SIGINT', () => stop.abort());
let failed = false;
for (const name of targets) {
  const totals: Totals = { runs: 0, outcomes: new Map(), findings: new Map(), kept: [] };
  const start = Date.now();
  while (totals.runs < runs && !stop.signal.aborted && Date.now() - start < minutes * 60_000) {
    const count = Math.min(RUNS_OF_A_PROCESS, runs - totals.runs);
    totals.runs += await runProcess(name, seed + totals.runs, count, totals);
  }
  await Promise.all(totals.kept);
  const list = (counts: Map<string, number>) =>
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([what, count]) => `\n  ${String(count).padStart(7)} ${what}`)
      .join('');
  const seconds = Math.round((Date.now() - start) / 1000);
  process.stdout.write(
    `${name}: ${totals.runs} inputs from seed ${seed} in ${seconds} s, ${totals.findings.size} kinds of findings` +
      `${list(totals.outcomes)}${list(totals.findings)}\n`,
  );
  failed ||= totals.findings.size > 0;
}
process.exit(failed ? 1 : 0);
