import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { identifyModel } from '../../src/architectures/identify.ts';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { addSynthesize } from '../../src/cli/commands/synthesize.ts';
import { headLayoutOf } from '../../src/detector/heads.ts';
import { loadModel } from '../../src/loader/load-model.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-synthesize-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the command in this process; what it prints on stdout. */
async function synthesize(...args: string[]): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const models = new Command('models').exitOverride().configureOutput({ writeErr() {} });
  addSynthesize(models);
  for (const command of models.commands) command.exitOverride().configureOutput({ writeErr() {} });
  await models.parseAsync(['synthesize', ...args], { from: 'user' });
  return write.mock.calls.map(([text]) => String(text)).join('');
}

const identify = async (path: string) => {
  const bytes = new Uint8Array(await readFile(path));
  const model = await loadModel(bytes);
  return identifyModel(bytes, model, headLayoutOf(model)!);
};

test('a member by its short name', async () => {
  const path = join(folder, 'a.onnx');
  expect(await synthesize('500m_kps', '-o', path)).toBe(`${path}: 0.63 M parameters, 0.550 GMAC at 640×480\n`);
  expect(await identify(path)).toMatchObject({ name: 'scrfd_500m_kps', generation: 'synthesized' });
  expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('a file that exists stays, unless forced', async () => {
  const path = join(folder, 'b.onnx');
  await writeFile(path, 'mine');
  await expect(synthesize('500m', '-o', path)).rejects.toThrow(`${path}: exists already; --force replaces it`);
  expect(await readFile(path, 'utf8')).toBe('mine');
  await synthesize('500m', '-o', path, '--force');
  expect(await identify(path)).toMatchObject({ name: 'scrfd_500m' });
});

test('an architecture of a JSON file', async () => {
  const json = join(folder, 'c.json');
  const { published: _, ...architecture } = ARCHITECTURES.scrfd_500m;
  await writeFile(json, JSON.stringify({ ...architecture, neck: 32 }));
  await synthesize('--architecture', json, '-o', join(folder, 'c.onnx'), '--shape', '96x64');
  expect(await identify(join(folder, 'c.onnx'))).toMatchObject({ name: null });
  await writeFile(json, JSON.stringify({ ...architecture, neck: 0 }));
  await expect(synthesize('--architecture', json, '-o', join(folder, 'd.onnx'))).rejects.toThrow(
    `${json}: architecture.neck: expected an integer from 1 to 4096, got 0`,
  );
});

test('a random architecture, which is printed', async () => {
  const path = join(folder, 'e.onnx');
  const printed = await synthesize('--gmacs', '0.1', '--seed', '3', '-o', path);
  expect(JSON.parse(printed.split('\n')[1]!)).toMatchObject({ blocks: expect.any(Array) });
});

test('one source, no more and no fewer', async () => {
  const path = join(folder, 'f.onnx');
  await expect(synthesize('-o', path)).rejects.toThrow('expected a name, --architecture or --gmacs');
  await expect(synthesize('500m', '--gmacs', '1', '-o', path)).rejects.toThrow('expected a name');
  await expect(synthesize('vgg', '-o', path)).rejects.toThrow('model: expected one of scrfd_500m');
  await expect(synthesize('500m', '--seed', 'x', '-o', path)).rejects.toThrow('Expected an integer of at least 0.');
});
