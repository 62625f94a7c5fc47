import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs `scrfd` from source, in the repository's root. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return runNode(['src/cli/main.ts', ...args], env);
}

/** Runs Node with TypeScript understood; a process that does not end by itself fails the test. */
export function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, env: { ...process.env, ...env }, timeout: 110_000, maxBuffer: 2 ** 26 };
    execFile(process.execPath, ['--import', 'tsx', ...args], options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(`${args.join(' ')}: ${error.signal}\n${stderr}`));
      else resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** Dawn's own lines aside: it warns on stderr from native code. */
export function errorLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.startsWith('scrfd: '));
}
