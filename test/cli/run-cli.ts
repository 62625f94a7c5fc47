import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Chromium's software adapter on Debian: one without half floats. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
export const hasSwiftShader = existsSync(SWIFTSHADER);
/** The environment of a process that is to run on it. */
export const onSwiftShader = { VK_DRIVER_FILES: SWIFTSHADER, VK_ICD_FILENAMES: SWIFTSHADER } as const;

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
