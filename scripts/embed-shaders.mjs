// Writes src/kernels/shaders.gen.ts from shaders/**/*.wgsl, so that bundlers and Node need no plugin to load them.
// With --check it only tells whether the output is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { composeShader, includesOf, shortenShader } from './wgsl.mjs';

const root = new URL('..', import.meta.url);
const target = new URL('src/kernels/shaders.gen.ts', root);
const folder = new URL('shaders/', root);
const files = new Map(
  readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.wgsl'))
    .sort()
    .map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
);
const parts = new Set([...files.values()].flatMap(includesOf));

const entries = [...files.keys()]
  .filter((name) => !parts.has(name))
  .map((name) => ({ name, source: composeShader(name, files) }))
  // shaders that begin alike side by side: bundles, which leave comments out, compress better
  .sort((a, b) => (shortenShader(a.source) < shortenShader(b.source) ? -1 : 1))
  .map(({ name, source }) => `  '${posix.basename(name, '.wgsl')}': ${JSON.stringify(source)},\n`);
const text = `// Generated from shaders/**/*.wgsl by scripts/embed-shaders.mjs; do not edit.
export const shaders = {
${entries.join('')}} as const;

export type ShaderName = keyof typeof shaders;
`;

let current = '';
try {
  current = readFileSync(target, 'utf8');
} catch {
  // a first run has nothing to compare with
}
if (process.argv.includes('--check')) {
  if (current !== text) {
    console.error('src/kernels/shaders.gen.ts is out of date: run npm run shaders');
    process.exit(1);
  }
} else if (current !== text) {
  writeFileSync(target, text);
}
