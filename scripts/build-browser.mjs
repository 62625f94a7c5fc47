// Bundles the browser entries into dist/browser, for pages without a bundler and for bundlers alike.
import { readFile, rm } from 'node:fs/promises';
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

const outdir = 'dist/browser';
await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: { index: 'src/index.web.ts', worker: 'src/web/worker/worker.ts' },
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  plugins: [shortShaders],
  logLevel: 'warning',
});
