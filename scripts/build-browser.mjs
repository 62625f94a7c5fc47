// Bundles the browser entries into dist/browser, for pages without a bundler and for bundlers alike.
import { readFile, rm } from 'node:fs/promises';
import { build } from 'esbuild';

/** Removes comments and indentation from the embedded WGSL. */
const shortShaders = {
  name: 'short-shaders',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]shaders\.gen\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const shorten = (wgsl) =>
        wgsl
          .replaceAll(/\/\/.*$/gm, '')
          .replaceAll(/\s*\n\s*/g, '\n')
          // not in constants and aliases: kernels replace some by their lines
          .replaceAll(/^(?!const |alias ).*$/gm, (line) => line.replaceAll(/ ?([=+*/,;:{}()]) ?/g, '$1'))
          .trim();
      const contents = source.replaceAll(/"(?:[^"\\]|\\.)*"/g, (text) => JSON.stringify(shorten(JSON.parse(text))));
      return { contents, loader: 'ts' };
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
