import { runProgram } from '../../src/cli/program.ts';
import { TaskQueue } from '../../src/common/task-queue.ts';
import type { CliResult } from './run-cli.ts';

const queue = new TaskQueue();

/** Runs `scrfd` in this process, one after another: without the second or two that a process takes to start. */
export function runHere(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return queue.run(() => run(args, env));
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<CliResult> {
  const { stdout, stderr } = process;
  const before = { out: stdout.write, error: stderr.write, env: { ...process.env } };
  const [out, error]: [string[], string[]] = [[], []];
  Object.assign(process.env, env);
  stdout.write = keep(out);
  stderr.write = keep(error);
  try {
    await runProgram([process.execPath, 'scrfd', ...args]);
    return { code: Number(process.exitCode ?? 0), stdout: out.join(''), stderr: error.join('') };
  } finally {
    stdout.write = before.out;
    stderr.write = before.error;
    // an option may set one
    for (const name of Object.keys(process.env)) if (!(name in before.env)) delete process.env[name];
    Object.assign(process.env, before.env);
    process.exitCode = undefined;
  }
}

/** What stands for `write` of a standard stream: it keeps what comes. */
function keep(texts: string[]): typeof process.stdout.write {
  return (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
    texts.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') done();
    return true;
  };
}
