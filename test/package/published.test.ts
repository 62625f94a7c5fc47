import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked } from './packed.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'scrfd-published-'));
const packed = join(folder, 'node_modules/scrfd-webgpu');

describe('the packed package', { timeout: 120_000 }, () => {
  let path: string;
  let tarball: Uint8Array<ArrayBuffer>;
  let files: string[];
  beforeAll(async () => {
    path = await installPacked(folder, []);
    tarball = new Uint8Array(readFileSync(path));
    files = readdirSync(packed, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(packed, name)).isFile(),
    );
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('installs in an empty folder, without a word of warning, and its command runs', async () => {
    const home = mkdtempSync(join(folder, 'empty-'));
    const npm = (...args: readonly string[]) => promisify(execFile)('npm', args, { cwd: home });
    writeFileSync(join(home, 'package.json'), '{}');
    expect(await npm('install', '--prefer-offline', '--no-audit', '--no-fund', path)).toMatchObject({ stderr: '' });
    const { version } = JSON.parse(readFileSync(join(packed, 'package.json'), 'utf8')) as { version: string };
    expect(await npm('exec', '--no', 'scrfd', '--', '--version')).toEqual({ stdout: `${version}\n`, stderr: '' });
  });

  test('publint has nothing to say', async () => {
    const { messages } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
    expect(messages).toEqual([]);
  });

  test('its types are right for whoever can import ES modules', async () => {
    const result = await checkPackage(createPackageFromTarballData(tarball));
    const problems = 'problems' in result ? result.problems : [{ kind: 'no types at all' }];
    // there is no CommonJS, and what node10 stands for knows no exports
    const others = problems.filter(
      (problem) => !('resolutionKind' in problem && /^(node10|node16-cjs)$/.test(String(problem.resolutionKind))),
    );
    expect(others).toEqual([]);
  });

  test("Node's entry has every name of the page's: servers render pages, too", async () => {
    const namesOf = (entry: string) => {
      const path = join(packed, 'dist', entry);
      const source = readFileSync(path, 'utf8');
      const lists = [...source.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) => list!.split(','));
      const own = lists.map((name) => name.trim());
      return [...own, ...[...source.matchAll(/^export (?:declare |async )*function (\w+)/gm)].map(([, name]) => name!)];
    };
    expect(namesOf('index.node.js')).toEqual(expect.arrayContaining(namesOf('index.web.js')));
    expect(namesOf('index.web.js')).toContain('createWorkerDetector');
  });

  test('links of its documents lead to files that are in it', () => {
    const documents = files.filter((name) => name.endsWith('.md'));
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/README.md', 'docs/api.md']));
    const dead = documents.flatMap((name) =>
      [...readFileSync(join(packed, name), 'utf8').matchAll(/(?:\]\(|(?:src|href)=")([^)#"\s]+)/g)]
        .map(([, link]) => link!)
        .filter((link) => !/^(https?|mailto):/.test(link))
        .map((link) => join(dirname(name), link))
        .filter((path) => !files.some((file) => file === path || file.startsWith(path.replace(/\/?$/, '/'))))
        .map((path) => `${name} → ${path}`),
    );
    expect(dead).toEqual([]);
  });

  test('its version is the newest of the changelog, and the one to cite', () => {
    const { version } = JSON.parse(readFileSync(join(packed, 'package.json'), 'utf8')) as { version: string };
    expect(/^## (.*)$/m.exec(readFileSync(join(packed, 'CHANGELOG.md'), 'utf8'))?.[1]).toBe(version);
    expect(readFileSync(join(root, 'CITATION.cff'), 'utf8')).toMatch(new RegExp(`^version: ${version}$`, 'm'));
  });

  test('is small: no source maps, no sources, no tests', () => {
    expect(
      files.filter((name) => /\.map$|(?<!\.d)\.ts$|\.wgsl$|^(test|bench\/(?!RESULTS)|demo|scripts)/.test(name)),
    ).toEqual([]);
    expect(tarball.length).toBeLessThan(1_500_000);
  });

  test('its bundle has no WebAssembly and no eval, and names the licence of what it contains', () => {
    const notices = readFileSync(join(packed, 'THIRD-PARTY-NOTICES.md'), 'utf8');
    for (const name of ['@zip.js/zip.js', 'munkres']) {
      expect(notices).toContain(readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8').trim());
    }
    const bundle = readdirSync(join(packed, 'dist/browser')).map((name) => {
      const code = readFileSync(join(packed, 'dist/browser', name), 'utf8');
      return { name, code };
    });
    const noted = bundle.filter(({ code }) => code.includes('Bundled license information')).map(({ name }) => name);
    expect(noted.sort()).toEqual([expect.stringMatching(/^tracker-/), expect.stringMatching(/^zip-/)]);
    for (const { name, code } of bundle) expect(code, name).not.toMatch(/WebAssembly|new Function|\beval\(/);
  });
});
