import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ColdStart } from './results.ts';
import type { Workload } from './runners.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 600_000;

/**
 * Starts a detector in two new processes, the first without a shader cache, the second with what the first left in it.
 * Mesa's and NVIDIA's caches are kept apart from the user's; other drivers keep theirs where they like, and their first
 * start may be warm.
 */
export async function measureColdStarts(work: Workload): Promise<ColdStart[]> {
  const { name, bytes, size, scoreThreshold, autotune, precision } = work;
  const folder = await mkdtemp(join(tmpdir(), 'scrfd-bench-'));
  try {
    const file = join(folder, 'model.onnx');
    await writeFile(file, bytes);
    const cacheDir = join(folder, 'shaders');
    // NVIDIA's driver goes without a cache where the folder is missing
    await mkdir(cacheDir);
    const env = {
      ...process.env,
      MESA_SHADER_CACHE_DIR: cacheDir,
      MESA_SHADER_CACHE_DISABLE: 'false',
      __GL_SHADER_DISK_CACHE_PATH: cacheDir,
    };
    const child = fileURLToPath(new URL(`./cold-start-child${extname(import.meta.url)}`, import.meta.url));
    const options = { inputSize: size, scoreThreshold, precision, autotune };
    const args = [...process.execArgv, child, file, JSON.stringify(options)];
    const starts: ColdStart[] = [];
    for (const cache of ['cold', 'warm'] as const) {
      const { stdout } = await run(process.execPath, args, { env, timeout: TIMEOUT_MS });
      const times = JSON.parse(stdout) as Pick<ColdStart, 'createMs' | 'firstMs'>;
      starts.push({ model: name, size, cache, ...times });
    }
    return starts;
  } finally {
    await rm(folder, { recursive: true });
  }
}
