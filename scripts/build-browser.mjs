// Bundles the browser entries into dist/browser, for pages without a bundler and for bundlers alike.
import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { shortenShader } from './wgsl.mjs';

const shortShaders = {
  name: 'short-shaders',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]shaders\.gen\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const shorten = (text) => JSON.stringify(shortenShader(JSON.parse(text)));
      return { contents: source.replaceAll(/"(?:[^"\\]|\\.)*"/g, shorten), loader: 'ts' };
    });
  },
};

const zipJs = {
  name: 'zip-js',
  setup({ onLoad }) {
    // its licence asks for a notice, and minifiers keep none of its own comments
    onLoad({ filter: /[\\/]@zip\.js[\\/].*[\\/]zip-core-custom\.js$/ }, async ({ path }) => ({
      contents: `${await readFile(path, 'utf8')}\n/*! zip.js, BSD-3-Clause: see THIRD-PARTY-NOTICES.md of scrfd-webgpu */`,
    }));
    // nobody here brings codecs of their own, and webpack warns of an import that it cannot follow
    onLoad({ filter: /[\\/]@zip\.js[\\/].*[\\/]codec-registry\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/import\([^)]*codecURI\)/, 'Promise.reject(codecURI)'),
    }));
  },
};

const outdir = 'dist/browser';
const options = {
  entryPoints: { index: 'src/index.web.ts', worker: 'src/web/worker/worker.ts' },
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  // browsers inflate by themselves: no wasm
  alias: { '@zip.js/zip.js': '@zip.js/zip.js/lib/zip-core-custom.js' },
  plugins: [shortShaders, zipJs],
  // the imports of `wholeDetector`
  logOverride: { 'ignored-bare-import': 'silent' },
  logLevel: 'warning',
};

/** What is loaded when it is used: paths of the files that are imported by `import()`. */
const { metafile } = await build({ ...options, write: false, metafile: true });
const imports = Object.values(metafile.inputs).flatMap((file) => file.imports);
const parts = new Set(
  imports
    .filter(({ kind, path }) => kind === 'dynamic-import' && path.startsWith('src/'))
    .map(({ path }) => resolve(path)),
);

/**
 * The detector in one chunk, which compresses better and is one request: esbuild makes one of every set of files that the same parts
 * need. So all parts are said to need all of it.
 */
const wholeDetector = {
  name: 'whole-detector',
  setup({ onLoad }) {
    const needed = ['src/detector/detector.ts', 'src/web/platform.ts'].map(
      (path) => `\nimport ${JSON.stringify(resolve(path))};`,
    );
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      if (!parts.has(path)) return undefined;
      return { contents: [await readFile(path, 'utf8'), ...needed].join(''), loader: 'ts' };
    });
  },
};

await rm(outdir, { recursive: true, force: true });
await build({ ...options, plugins: [...options.plugins, wholeDetector] });
