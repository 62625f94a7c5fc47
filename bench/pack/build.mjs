// Makes what only a clone of the repository can put into a pack: node bench/pack/build.mjs PACKAGE TESTS
// compiles the package into the folder PACKAGE and bundles the kernel tests into the folder TESTS.
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [packageFolder, testsFolder] = process.argv.slice(2);

/** It mocks a module, which needs vitest itself. */
const MOCKING = 'shortened-shaders.test.ts';
const kernelTests = readdirSync(join(root, 'test/kernels'), { recursive: true })
  .filter((file) => file.endsWith('.test.ts') && file !== MOCKING)
  .map((file) => `test/kernels/${file}`);
const tests = [...kernelTests, 'test/graph/random-networks.test.ts'];

const compiler = join(root, 'node_modules/typescript/bin/tsc');
const plain = ['--declaration', 'false', '--sourceMap', 'false', '--inlineSources', 'false'];
await Promise.all([
  promisify(execFile)(process.execPath, [
    ...[compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(packageFolder, 'dist')],
    ...plain,
  ]),
  build({
    absWorkingDir: root,
    entryPoints: {
      'kernel-tests': 'bench/pack/kernel-tests.ts',
      ...Object.fromEntries(tests.map((file) => [file.replace(/\.ts$/, ''), file])),
    },
    outdir: testsFolder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.10',
    alias: { vitest: './bench/pack/vitest.ts' },
    external: ['webgpu', 'sharp', 'onnxruntime-node', '@techstark/opencv-js'],
    logLevel: 'warning',
  }),
]);
