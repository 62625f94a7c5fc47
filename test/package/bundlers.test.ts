import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import webpack from 'webpack';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { hasChromium, launchChromium, serveFiles } from '../support/browser.ts';
import { blockWith } from '../support/documents.ts';
import { installPacked } from './packed.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'scrfd-bundlers-'));
const root = fileURLToPath(new URL('../../', import.meta.url));
const packed = join(folder, 'node_modules/scrfd-webgpu');

const ENTRY = `
import { createDetector, createWorkerDetector } from 'scrfd-webgpu';
const picture = { data: new Uint8Array(64 * 64 * 3), width: 64, height: 64, channels: 3 };
const options = { inputSize: [64, 64], scoreThreshold: 0.02 };
const page = await createDetector('/files/model.onnx', options);
const faces = await page.detect(picture);
await page.dispose();
let worker = 'none';
if (globalThis.useWorker) {
  const detector = await createWorkerDetector('/files/model.onnx', options);
  worker = JSON.stringify(await detector.detect(picture)) === JSON.stringify(faces) ? 'same' : 'different';
  await detector.dispose();
}
globalThis.result = { faces: faces.length, worker };
`;

/** What both components of a framework say: faces of two pictures, one after the other, by the guide's function and without it. */
const COMPONENT = `
import { createWorkerDetector } from 'scrfd-webgpu';
export const pictures = ['/pictures/astronaut.png', '/pictures/group.jpg'];
export const seen = [];
export async function compare() {
  const detector = await createWorkerDetector('/models/scrfd_500m_kps.onnx');
  const expected = [];
  for (const each of pictures) expected.push((await detector.detect(each)).length);
  await detector.dispose();
  globalThis.result = { seen, expected };
}
`;

const COMPONENTS = {
  react: `
import { createElement, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { compare, pictures, seen } from './component.js';
import { useFaces } from './use-faces-react.tsx';
function Faces() {
  const [i, setNext] = useState(0);
  const faces = useFaces(pictures[i]);
  useEffect(() => {
    if (!faces) return;
    seen.push(faces.length);
    if (i === 0) setNext(1);
    else compare();
  }, [faces]);
  return createElement('p', null, faces?.length);
}
createRoot(document.body.appendChild(document.createElement('div'))).render(createElement(Faces));
`,
  vue: `
import { createApp, h, ref, watch } from 'vue';
import { compare, pictures, seen } from './component.js';
import { useFaces } from './use-faces-vue.ts';
const app = createApp({
  setup() {
    const url = ref(pictures[0]);
    const faces = useFaces(url);
    watch(faces, (found) => {
      if (!found) return;
      seen.push(found.length);
      if (seen.length === 1) url.value = pictures[1];
      else app.unmount(), compare();
    });
    return () => h('p', faces.value?.length);
  },
});
app.mount(document.body.appendChild(document.createElement('div')));
`,
} as const;

/** The page of a folder, with its script; what the script says it found. */
async function runPage(pageFolder: string, script: string, useWorker: boolean, head = ''): Promise<unknown> {
  const html = `<!doctype html><link rel="icon" href="data:,">${head}
    <script>globalThis.useWorker = ${useWorker}</script><script type="module" src="${script}"></script>`;
  const model = readFileSync(join(folder, 'model.onnx'));
  const server = await serveFiles({
    '/': pageFolder,
    '/page/': () => html,
    '/files/': () => model,
    '/models/': () => model,
    '/pictures/': `${root}assets`,
    '/lib/': join(packed, 'dist/browser'),
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(`${server.origin}/page/`);
    await page
      .waitForFunction(() => 'result' in globalThis, undefined, { timeout: 60_000 })
      .catch(() => {
        throw new Error(`the page gave no result; it said: ${said.join('; ')}`);
      });
    expect(said).toEqual([]);
    return await page.evaluate(() => (globalThis as unknown as { result: unknown }).result);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** The files that a module imports, statically, and itself. */
function closureOf(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const code = readFileSync(entry, 'utf8');
  for (const [, file] of code.matchAll(/(?:^|[;}\n])(?:import|export)[^;()'"]*["']\.\/([^"']+)["']/g)) {
    closureOf(join(entry, '..', file!), seen);
  }
  return seen;
}

describe('the packed package', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await installPacked(folder, ['@zip.js', 'nanotar', 'webgpu', 'munkres', 'react', 'react-dom', 'vue']);
    writeFileSync(join(folder, 'entry.js'), ENTRY);
    writeFileSync(join(folder, 'model.onnx'), synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 }));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Bytes of files, each compressed. */
  const compressed = (files: readonly string[]) =>
    files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);

  test('is at most 60 kB, compressed, for a page, and says nothing to Node', () => {
    const files = [...closureOf(join(packed, 'dist/browser/index.js'))];
    expect(files.length).toBeGreaterThan(1);
    // each is a request, and is compressed by itself
    expect(files.length).toBeLessThanOrEqual(4);
    expect(compressed(files)).toBeLessThanOrEqual(60_000);
    for (const file of readdirSync(join(packed, 'dist/browser')).filter((name) => name.endsWith('.js'))) {
      const code = readFileSync(join(packed, 'dist/browser', file), 'utf8');
      expect(code, file).not.toMatch(/(from|import|require)\s*\(?["']node:/);
      expect(code, file).not.toContain('process.env');
    }
    expect(readdirSync(packed, { recursive: true }).filter((name) => String(name).endsWith('.wasm'))).toEqual([]);
  });

  test.each([
    ['hardware', 'separable-split'],
    ['software', 'winograd-input'],
  ])('has what is for %s adapters in one file, which the entry does not need', (name, kernel) => {
    const dist = join(packed, 'dist/browser');
    const entry = closureOf(join(dist, 'index.js'));
    const files = readdirSync(dist).filter((file) => file.startsWith(`${name}-`));
    expect(files).toHaveLength(1);
    const path = join(dist, files[0]!);
    expect(readFileSync(path, 'utf8')).toContain(`"${kernel}"`);
    expect([...closureOf(path)].filter((file) => !entry.has(file))).toEqual([path]);
    expect(compressed([path])).toBeLessThanOrEqual(12_000);
  });

  test('importing one small function leaves the detector and its shaders out', async () => {
    const { outputFiles } = await esbuild({
      stdin: { contents: `export { blurFaces } from 'scrfd-webgpu';`, resolveDir: folder },
      ...{ bundle: true, write: false, format: 'esm', minify: true, platform: 'browser' },
    });
    expect(outputFiles[0]!.contents.length).toBeLessThan(15_000);
    expect(outputFiles[0]!.text).not.toContain('@compute');
  });

  describe.skipIf(!hasChromium)('in Chromium', () => {
    const expected = expect.objectContaining({ faces: expect.any(Number) });

    test('as it is, off a static server', async () => {
      const map = '<script type="importmap">{ "imports": { "scrfd-webgpu": "/lib/index.js" } }</script>';
      expect(await runPage(folder, '/entry.js', true, map)).toEqual({ faces: expect.any(Number), worker: 'same' });
    });

    test('bundled by Vite, with its worker', async () => {
      const outDir = join(folder, 'vite');
      await vite({
        ...{ root: folder, configFile: false, logLevel: 'silent' },
        build: { outDir, target: 'es2022', rollupOptions: { input: join(folder, 'entry.js') }, minify: true },
      });
      const [script] = readdirSync(join(outDir, 'assets')).filter((name) => name.startsWith('entry'));
      expect(await runPage(outDir, `/assets/${script}`, true)).toMatchObject({ worker: 'same' });
    });

    test('bundled by webpack, with its worker', async () => {
      const path = join(folder, 'webpack');
      await new Promise<void>((resolve, reject) => {
        const config: webpack.Configuration = {
          ...{ mode: 'production', context: folder, entry: './entry.js', experiments: { outputModule: true } },
          output: { path, filename: 'main.js', module: true, publicPath: '/' },
          performance: false,
        };
        webpack(config, (error, stats) => {
          if (error || stats?.hasErrors() || stats?.hasWarnings()) {
            reject(error ?? new Error(stats!.toString('errors-warnings')));
          } else resolve();
        });
      });
      expect(await runPage(path, '/main.js', true)).toMatchObject({ worker: 'same' });
    });

    test.each(['react', 'vue'] as const)("the guide's function for %s", async (framework) => {
      writeFileSync(join(folder, 'component.js'), COMPONENT);
      writeFileSync(join(folder, `${framework}.js`), COMPONENTS[framework]);
      const file = framework === 'react' ? 'use-faces-react.tsx' : 'use-faces-vue.ts';
      writeFileSync(join(folder, file), blockWith('docs/browser.md', `from '${framework}'`));
      const outDir = join(folder, `in-${framework}`);
      await vite({
        ...{ root: folder, configFile: false, logLevel: 'silent' },
        // as in a site: both have more to say where they are developed
        define: {
          'process.env.NODE_ENV': '"production"',
          ...{ __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
          __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
        },
        build: { outDir, target: 'es2022', rollupOptions: { input: join(folder, `${framework}.js`) } },
      });
      const [script] = readdirSync(join(outDir, 'assets')).filter((name) => name.startsWith(framework));
      const { seen, expected } = (await runPage(outDir, `/assets/${script}`, false)) as Record<string, number[]>;
      expect(seen).toEqual(expected);
      expect(new Set(seen).size).toBe(2);
    });

    test('bundled by esbuild', async () => {
      const outdir = join(folder, 'esbuild');
      await esbuild({
        ...{ entryPoints: [join(folder, 'entry.js')], outdir, bundle: true, format: 'esm', splitting: true },
        ...{ minify: true, platform: 'browser', logLevel: 'silent', target: 'es2022' },
      });
      expect(await runPage(outdir, '/entry.js', false)).toEqual(expected);
    });
  });

  test('runs in Node by its name', async () => {
    const code = `console.log(Object.keys(await import('scrfd-webgpu')).includes('createDetector'))`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: folder });
    expect(stdout.trim()).toBe('true');
  });
});
