import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { formatPackResults, type PackResults, type TestFile } from '../../../src/cli/bench/pack/report.ts';
import { isSame } from '../../../src/cli/bench/results.ts';
import { type CliResult, errorLines, runCli } from '../run-cli.ts';
import { runHere } from '../run-here.ts';
import { resultsOf, rowOf } from './results.ts';
import { spyOnCaches } from './spy-on-caches.ts';

/** What a pack says of its commit; a copy of the project that is no checkout has none. */
const COMMIT = spawnSync('git', ['describe', '--always']).status === 0 ? expect.any(String) : null;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-pack-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a program with nothing in its environment, and so with no Node to be found, but what is given. */
function runBare(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const options = { cwd: '/', env: { PATH: '/nowhere', ...env }, timeout: 280_000, maxBuffer: 2 ** 26 };
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(`${error.message}\n${stderr}`));
      else resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

async function readResults(out: string): Promise<PackResults> {
  return JSON.parse(await readFile(join(out, 'results.json'), 'utf8')) as PackResults;
}

describe.skipIf(process.platform !== 'linux')('scrfd bench --pack', () => {
  let pack: string;
  const runPack = (args: readonly string[], env?: NodeJS.ProcessEnv) =>
    runBare('/bin/sh', [join(pack, 'run.sh'), ...args], env);

  beforeAll(async () => {
    pack = join(folder, 'pack');
    const { code, stdout, stderr } = await runCli(['bench', '--pack', pack]);
    expect([code, errorLines(stderr)]).toEqual([0, []]);
    expect(stdout).toContain('sh run.sh');
  }, 110_000);

  it('takes along what runs here and nothing of other platforms, and knows nothing of this folder', async () => {
    expect((await readdir(pack)).sort()).toEqual(['bin', 'kernel-tests', 'lib', 'node_modules', 'pack.json', 'run.sh']);
    const files = await readdir(pack, { recursive: true });
    const native = files.filter((file) => /\.(node|dll|dylib)$|\.so/.test(file));
    const here = `linux-${process.arch}`;
    expect(native.sort()).toEqual([
      'lib/libvulkan.so.1',
      `node_modules/onnxruntime-node/bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
      `node_modules/onnxruntime-node/bin/napi-v6/linux/${process.arch}/onnxruntime_binding.node`,
      `node_modules/webgpu/dist/${here}/dawn.node`,
    ]);
    expect(JSON.parse(await readFile(join(pack, 'pack.json'), 'utf8'))).toMatchObject({
      models: ['500m_kps', '2.5g_kps', '10g_kps', '34g'],
      commit: COMMIT,
    });
  });

  it('measures and checks without an environment', { timeout: 300_000 }, async () => {
    const out = join(folder, 'results');
    const { code, stdout, stderr } = await runPack(['--quick', '--seconds', '90', '--out', out]);
    expect(code, stderr).toBe(0);
    const { results, kernelTests, failures, missing, machine } = await readResults(out);
    expect(failures).toEqual([]);
    expect(machine.node).toBe(process.version);
    const { rows, parities, kernels, commit } = results.default!;
    expect(rows.map(({ provider }) => provider)).toEqual(['scrfd-webgpu', 'scrfd-network']);
    expect(parities[0]).toMatchObject({ way: 'chosen', precision: 'f32' });
    expect(parities.every(isSame)).toBe(true);
    expect(kernels).toHaveLength(1);
    expect(commit).toEqual(COMMIT);
    expect(kernelTests.reduce((sum, { passed }) => sum + passed, 0)).toBeGreaterThan(50);
    for (const text of missing) expect(text).toMatch(/time was up$/);
    expect(results.f16?.ceilings ?? results.default!.ceilings).toEqual(results.default!.ceilings);
    for (const text of [stdout, await readFile(join(out, 'results.md'), 'utf8')]) {
      expect(text).toContain('outputs beside onnxruntime CPU');
      expect(text).toContain('test/kernels/conv/conv2d-grouped.test.ts');
    }
  });

  it('finds a wrong kernel', { timeout: 60_000 }, async () => {
    const [tests, right] = [join(pack, 'kernel-tests'), 'exp(2.0 * v) + 1.0'];
    const runTests = () => runBare(join(pack, 'bin/node'), [join(tests, 'kernel-tests.mjs'), 'tanh']);
    expect(await runTests()).toMatchObject({ code: 0, stdout: expect.stringMatching(/: 5 passed, 0 failed/) });
    for (const name of (await readdir(tests)).filter((name) => name.startsWith('chunk-'))) {
      const code = await readFile(join(tests, name), 'utf8');
      if (!code.includes(right)) continue;
      await writeFile(join(tests, name), code.replace(right, 'exp(2.0 * v) + 1.1'));
      const { code: exit, stdout } = await runTests();
      await writeFile(join(tests, name), code);
      expect(exit).toBe(1);
      expect(stdout).toMatch(/FAILED .+\n +\d+ of \d+ elements differ/);
      return;
    }
    expect.unreachable('no chunk has the shader of Tanh');
  });

  describe('kernel tests in processes', () => {
    const code = { dies: "process.kill(process.pid, 'SIGKILL')", hangs: 'for (;;);' };
    const runTests = async (name: keyof typeof code, options: readonly string[]) => {
      const [tests, json] = [join(pack, 'kernel-tests'), join(folder, `${name}.json`)];
      const bad = join(tests, 'test', `${name}.test.mjs`);
      await writeFile(bad, code[name]);
      const args = [join(tests, 'kernel-tests.mjs'), '--json', json, ...options, name, 'tanh', 'lrn'];
      const { code: exit } = await runBare(join(pack, 'bin/node'), args);
      await rm(bad);
      return { exit, files: JSON.parse(await readFile(json, 'utf8')) as TestFile[] };
    };
    const others = [
      ['test/kernels/general/lrn.test.ts', 4],
      ['test/kernels/general/tanh.test.ts', 5],
    ];

    it.each(['1', '2'])('go on after one that dies, and tell of it: %s', async (processes) => {
      const { exit, files } = await runTests('dies', ['--processes', processes]);
      expect(exit).toBe(1);
      expect(files[0]).toMatchObject({
        ...{ file: 'test/dies.test.ts', passed: 0 },
        failures: [{ test: 'its process', message: 'ended with SIGKILL' }],
      });
      expect(files.slice(1).map(({ file, passed }) => [file, passed])).toEqual(others);
    });

    it('end with the time, whatever hangs, and name what was not run', async () => {
      const { exit, files } = await runTests('hangs', ['--seconds', '1']);
      expect(exit).toBe(0);
      const nothing = { passed: 0, skipped: 0, notRun: 0, failures: [], seconds: 0 };
      expect(files).toEqual(
        ['test/hangs.test.ts', ...others.map(([file]) => file)].map((file) => ({ file, ...nothing })),
      );
    });
  });

  it('leaves out what there is no time for, and names it', { timeout: 120_000 }, async () => {
    const out = join(folder, 'hurried');
    const { env, foundCaches } = await spyOnCaches(folder);
    const { code, stdout } = await runPack(['--seconds', '6', '--out', out], env);
    expect(code).toBe(0);
    const { missing } = await readResults(out);
    expect(missing).toEqual(
      [
        ...['500m_kps, default', 'kernel tests', '2.5g_kps, default, parity', '10g_kps, default, parity'],
        ...['34g, default, parity', '34g, f16, parity', '2.5g_kps, default', '10g_kps, default', '34g, default'],
        ...['500m_kps, f16', '500m_kps, tuned', '34g, f16', '34g, tuned'],
      ].map((name) => `${name}: the time was up`),
    );
    expect(stdout).toMatch(/^- 34g, tuned: .*time was up$/m);
    // that of the processes, which the first of them finds made
    expect((await foundCaches())[0]).toBe(true);
  });

  test.each([
    [['--seconds', 'all'], {}, 'Expected an integer of at least 1.'],
    [[], { VK_DRIVER_FILES: '/no/driver.json' }, 'scrfd: there is no WebGPU adapter: VK_DRIVER_FILES names no Vulkan'],
  ])('%j, %o: %s', { timeout: 60_000 }, async (args, env, message) => {
    const { code, stderr } = await runPack([...args, '--out', join(folder, 'none')], env);
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });

  it('is written by the installed package, too, without the kernel tests', { timeout: 60_000 }, async () => {
    const second = join(folder, 'second');
    const cli = join(pack, 'node_modules/scrfd-webgpu/dist/cli/main.js');
    const args = [cli, 'bench', '--pack', second, '--models', '500m'];
    const { code, stderr } = await runBare(join(pack, 'bin/node'), args, { PATH: process.env.PATH });
    expect([code, errorLines(stderr)]).toEqual([
      0,
      ['scrfd: the kernel tests are in a clone of the repository alone: this pack goes without'],
    ]);
    expect((await readdir(second)).sort()).toEqual(['bin', 'lib', 'node_modules', 'pack.json', 'run.sh']);
    const packages = (await readdir(join(pack, 'node_modules'))).filter((name) => name !== '@techstark');
    expect(await readdir(join(second, 'node_modules'))).toEqual(packages);
  });

  it('takes models of files along', { timeout: 60_000 }, async () => {
    const model = join(folder, 'model.onnx');
    expect((await runHere(['models', 'synthesize', '500m', '-o', model])).code).toBe(0);
    const third = join(folder, 'third');
    expect((await runHere(['bench', '--pack', third, '--models', model, '500m'])).code).toBe(0);
    const { models } = JSON.parse(await readFile(join(third, 'pack.json'), 'utf8'));
    expect(models).toEqual(['models/model.onnx', '500m']);
    expect((await readFile(join(third, 'models/model.onnx'))).equals(await readFile(model))).toBe(true);
  });

  test.each([
    [['--models', 'vgg'], 1, 'scrfd: model: expected one of scrfd_500m'],
    [['--runs', '3'], 2, "option '--pack <dir>' cannot be used with option '--runs <N>'"],
  ])('%j: code %i', async (args, expected, message) => {
    const none = join(folder, 'nothing');
    const { code, stderr } = await runHere(['bench', '--pack', none, ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });

  it('leaves a folder alone that has something in it', async () => {
    const used = await mkdtemp(join(folder, 'used-'));
    await writeFile(join(used, 'letter.txt'), 'Dear');
    const { code, stderr } = await runHere(['bench', '--pack', used]);
    expect([code, errorLines(stderr)]).toEqual([1, [`scrfd: ${used}: expected a new or empty folder`]]);
    expect(await readdir(used)).toEqual(['letter.txt']);
  });
});

describe('what a pack found', () => {
  const tests: TestFile = {
    ...{ file: 'test/kernels/x.test.ts', passed: 2, skipped: 3, notRun: 4, seconds: 1.25 },
    failures: [{ test: 'x > 3×3', message: 'expected 1\n  got 2' }],
  };
  const found: PackResults = {
    pack: { version: '1.2.3', commit: 'abc1234', models: ['500m'] },
    machine: { node: 'v20.0.0', system: 'Linux 6', nvidia: 'H200, 580', doctor: null },
    seconds: 200,
    results: { default: resultsOf([rowOf('scrfd-webgpu', 2)]) },
    kernelTests: [tests],
    failures: ['test/kernels/x.test.ts: 1 tests failed'],
    missing: ['500m, f16: no half floats'],
  };

  it.each(['text', 'markdown'] as const)('is told as %s', (style) => {
    const text = formatPackResults(found, style);
    expect(text).toMatch(/scrfd-webgpu 1\.2\.3, commit abc1234, measured in 200 s\n/);
    expect(text).toContain('H200, 580\n');
    expect(text).toContain('adapter: Example GPU\n');
    expect(text).toMatch(/test\/kernels\/x\.test\.ts[ |]+2[ |]+1[ |]+3[ |]+4[ |]+1\.3/);
    expect(text).toContain('- test/kernels/x.test.ts: x > 3×3: expected 1 got 2\n');
    expect(text).toContain('- 500m, f16: no half floats\n');
    expect(text.includes('## Kernel tests\n')).toBe(style === 'markdown');
  });
});
