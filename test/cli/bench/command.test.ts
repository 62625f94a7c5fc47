import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Results } from '../../../src/cli/bench/results.ts';
import { hidePackage } from '../hide-package.ts';
import { errorLines, hasSwiftShader, onSwiftShader, runCli, runNode } from '../run-cli.ts';
import { runHere } from '../run-here.ts';
import { resultsOf } from './results.ts';
import { spyOnCaches } from './spy-on-caches.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-bench-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('scrfd bench', () => {
  it('measures, writes and draws', { timeout: 120_000 }, async () => {
    const [json, chart] = [join(folder, 'results.json'), join(folder, 'chart.svg')];
    const cases = ['--models', '500m', '--size', '64x32', '--batch', '1', '2'];
    const outputs = ['--kernels', '--throughput', '--cold-start', '--json', json, '--chart', chart];
    const { env, foundCaches } = await spyOnCaches(folder);
    const args = ['bench', ...cases, '--runs', '2', '--budget', '2', ...outputs];
    const { code, stdout, stderr } = await runCli(args, env);
    expect(errorLines(stderr).every((line) => !line.includes('rror'))).toBe(true);
    expect(code, stderr).toBe(0);

    const results = JSON.parse(await readFile(json, 'utf8')) as Results;
    expect(Object.keys(results)).toEqual(
      expect.arrayContaining([
        'adapter',
        'versions',
        'commit',
        'ceilings',
        'rows',
        'coldStarts',
        'kernels',
        'throughputs',
      ]),
    );
    expect(results.versions).toMatchObject({ node: process.version, onnxruntime: expect.any(String) });
    expect(results.rows.map(({ size, batch, provider }) => `${size.join('x')} ${batch} ${provider}`)).toEqual(
      ['1', '2'].flatMap((batch) =>
        ['scrfd-webgpu', 'scrfd-network', 'ort-webgpu', 'ort-cpu-1', 'ort-cpu-n'].map(
          (provider) => `64x32 ${batch} ${provider}`,
        ),
      ),
    );
    for (const {
      provider,
      wallMs,
      runs,
      sustainedMs,
      sustainedRuns,
      gpuMs,
      sustainedGpuMs,
      stagesMs,
      outsideMs,
      cpuMs,
      gflops,
      dispatches,
      memoryBytes,
    } of results.rows) {
      expect([runs, sustainedRuns]).toEqual([2, 2]);
      for (const { p10, median, p90 } of [wallMs, sustainedMs]) {
        expect(p10).toBeGreaterThan(0);
        expect(p10).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(p90);
      }
      expect(gflops).toBeGreaterThan(0);
      const ours = provider.startsWith('scrfd-');
      for (const known of [gpuMs, sustainedGpuMs, dispatches, memoryBytes]) expect(known !== null).toBe(ours);
      for (const part of [stagesMs, outsideMs, cpuMs]) expect(part !== null).toBe(provider === 'scrfd-webgpu');
      if (ours) expect(Math.min(gpuMs!, sustainedGpuMs!)).toBeGreaterThan(0);
      for (const ms of Object.values(cpuMs ?? {})) expect(ms).toBeGreaterThan(0);
    }
    expect(results.coldStarts.map(({ cache }) => cache)).toEqual(['cold', 'warm']);
    expect(await foundCaches()).toEqual([true, true]);
    for (const { createMs, firstMs } of results.coldStarts) expect(Math.min(createMs, firstMs)).toBeGreaterThan(0);
    expect(results.kernels.map(({ steps }) => steps.length)).toEqual(
      results.rows.filter(({ provider }) => provider === 'scrfd-webgpu').map(({ dispatches }) => dispatches),
    );
    const [one, ...others] = results.throughputs;
    expect([one!.calls, one!.batch, others.length]).toEqual([1, 1, 4]);
    expect(one!.picturesPerSecond).toBeGreaterThan(0);
    expect(stdout).toContain(`adapter: ${results.adapter}\n`);
    expect(await readFile(chart, 'utf8')).toContain('</svg>');

    const untimed = join(folder, 'untimed.json');
    const again = [...cases, '--no-times', '--kernels', '--ceilings', json, '--json', untimed];
    expect((await runHere(['bench', ...again, '--runs', '1'])).stderr).not.toContain('ceilings');
    const { ceilings, rows, kernels } = JSON.parse(await readFile(untimed, 'utf8')) as Results;
    expect([ceilings, rows, kernels.length]).toEqual([results.ceilings, [], 2]);
  });

  it.each(['--compare', '--ceilings'])('%s: refuses results of another adapter before it measures', async (option) => {
    const file = join(folder, 'other.json');
    await writeFile(file, JSON.stringify(resultsOf([])));
    const { code, stdout, stderr } = await runHere(['bench', '--models', '500m', option, file]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(errorLines(stderr)).toEqual([
      expect.stringMatching(
        /^scrfd: results of different adapters cannot be compared: expected ".+", got "Example GPU"$/,
      ),
    ]);
  });

  test.skipIf(!hasSwiftShader)('half floats on an adapter without them are one sentence', async () => {
    const ways = [['--providers', 'scrfd-webgpu'], ['--providers', 'scrfd-network', '--autotune', '--kernels'], []];
    for (const way of ways) {
      const args = ['bench', '--models', '500m', '--size', '64', '--precision', 'f16', ...way];
      const { code, stdout, stderr } = await runCli(args, onSwiftShader);
      expect([code, stdout]).toEqual([1, '']);
      expect(errorLines(stderr)).toEqual([
        "scrfd: precision 'f16' needs the feature shader-f16, which this GPU device does not have",
      ]);
    }
  });

  test.each([
    [['--providers', 'tensorflow'], 2, 'Allowed choices are scrfd-webgpu'],
    [['--size', '0x4'], 2, 'Expected WxH'],
    [['--batch', '1', 'two'], 2, 'Expected an integer of at least 1.'],
    [['--models', 'vgg'], 1, 'scrfd: vgg: no such file; model: expected one of scrfd_500m'],
    [['--no-times', '--compare', 'x.json'], 2, "option '--no-times' cannot be used with option '--compare <file>'"],
    [['--compare', 'no/such.json'], 1, 'scrfd: no/such.json: ENOENT'],
  ])('%j: code %i', async (args, expected, message) => {
    const { code, stderr } = await runHere(['bench', ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });

  it('does without onnxruntime unless it is asked for', async () => {
    const run = (...args: string[]) =>
      runNode(['--import', hidePackage('onnxruntime-node'), 'src/cli/main.ts', 'bench', '--models', '500m', ...args]);
    const asked = await run('--providers', 'ort-cpu-1');
    expect(asked.code).toBe(1);
    expect(errorLines(asked.stderr)).toEqual(['scrfd: bench compares with onnxruntime: npm install onnxruntime-node']);
    const plain = await run('--size', '32', '--runs', '1');
    expect(plain.code, plain.stderr).toBe(0);
    expect(plain.stdout).toContain('scrfd-network');
    expect(plain.stdout).not.toContain('ort-');
  });
});
