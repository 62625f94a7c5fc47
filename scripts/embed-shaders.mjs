// Writes src/kernels/shaders.gen.ts from shaders/**/*.wgsl, so that bundlers and Node need no plugin to load them.
// A shader with the line "// requires NAME.wgsl" is put behind that file, enable directives before both. Files that others
// require are parts, no shaders.
// With --check it only tells whether the output is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';

const root = new URL('..', import.meta.url);
const target = new URL('src/kernels/shaders.gen.ts', root);
const folder = new URL('shaders/', root);
const names = readdirSync(folder, { recursive: true })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.wgsl'))
  .sort();
const read = (name) => readFileSync(new URL(name, folder), 'utf8');

const requirements = (name) =>
  [...read(name).matchAll(/^\/\/ requires (\S+)$/gm)].map(([, file]) => posix.join(posix.dirname(name), file));
const parts = new Set(names.flatMap(requirements));

/** A shader's whole source. */
function compose(name) {
  const files = [...requirements(name), name].map(read);
  const enables = files.flatMap((source) => source.match(/^enable .*;\n/gm) ?? []);
  return [...enables, ...files.map((source) => source.replaceAll(/^enable .*;\n/gm, ''))].join('\n');
}

const entries = names
  .filter((name) => !parts.has(name))
  .map((name) => ({ name, source: compose(name) }))
  // shaders that begin alike side by side: bundles compress better
  .sort((a, b) => (a.source < b.source ? -1 : 1))
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
