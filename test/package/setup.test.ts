import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('npm has nothing to warn of in this folder', async () => {
  const { stderr } = await promisify(execFile)('npm', ['pkg', 'get', 'name'], { cwd: root });
  expect(stderr).toBe('');
});

test('every package with an install script is allowed to run it, or not', async () => {
  const { stdout } = await promisify(execFile)('npm', ['query', ':attr(scripts, [postinstall])'], { cwd: root });
  const { stdout: allowed } = await promisify(execFile)('npm', ['pkg', 'get', 'allowScripts'], { cwd: root });
  const names = new Set((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name));
  expect(Object.keys(JSON.parse(allowed) as object)).toEqual(expect.arrayContaining([...names]));
});

test("the demo's server says where it is", async () => {
  const server = spawn('npx', ['vite', 'preview', 'demo', '--port', '0'], { cwd: root, detached: true });
  onTestFinished(() => void process.kill(-server.pid!));
  let said = '';
  server.stdout.on('data', (chunk) => {
    said += chunk;
  });
  // in colours, where it takes a log for a terminal
  await expect.poll(() => stripVTControlCharacters(said), { timeout: 30_000 }).toMatch(/http:\/\/localhost:\d+\//);
});

test("the set-up commands leave Dawn's warnings out, and nothing else", async () => {
  const adapter = `const { create } = await import('webgpu'); await create([]).requestAdapter(); console.error('mine');`;
  const command =
    '. scripts/quiet-dawn.sh; quiet_dawn node --input-type=module -e "$0" || echo failed; quiet_dawn false';
  const result = promisify(execFile)('bash', ['-o', 'pipefail', '-c', command, adapter], { cwd: root });
  const { code, stdout, stderr } = (await result.catch((error: unknown) => error)) as Record<string, unknown>;
  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: 'mine\n' });
  for (const script of ['quick-start.sh', 'test.sh']) {
    expect(await readFile(`${root}scripts/${script}`, 'utf8')).toMatch(/^ *quiet_dawn (node|npx vitest)/m);
  }
});
