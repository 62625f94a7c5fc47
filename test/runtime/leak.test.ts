import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('../manual/leak.ts', import.meta.url));
const MIB = 2 ** 20;
const COUNT = 10;

interface Memory {
  readonly disposed: number;
  readonly buffers?: number;
  readonly rss: number;
  readonly arrayBuffers: number;
}

async function leak(...options: string[]): Promise<[start: Memory, middle: Memory, end: Memory]> {
  const args = ['--expose-gc', '--import', 'tsx', PROGRAM, String(COUNT), ...options];
  const { stdout } = await run(process.execPath, args);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line)) as [Memory, Memory, Memory];
}

test.each([
  ['own', 'detector', 'run'],
  ['own', 'network', 'idle'],
  ['borrowed', 'detector', 'idle'],
  ['borrowed', 'network', 'run'],
])('%s device: a disposed %s (%s) leaves nothing behind', { timeout: 300_000 }, async (...options) => {
  const [start, , end] = await leak(...options);
  expect(end.disposed).toBe(COUNT);
  // the weights alone are 3 MB each
  expect(end.arrayBuffers - start.arrayBuffers).toBeLessThan(2 * MIB);
  // the driver's pools come and go; buffers that stay are 30 MB each
  expect(end.rss - start.rss).toBeLessThan(COUNT * 10 * MIB);
  expect(end.buffers ?? 0).toBe(0);
});
