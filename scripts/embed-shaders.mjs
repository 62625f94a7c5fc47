// Writes shaders/**/*.wgsl into modules of src/kernels/, so that bundlers and Node need no plugin to load them: those that pages
// load in a chunk, when they need them, into one of their own.
// With --check it only tells whether the output is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { composeShader, includesOf, shortenShader } from './wgsl.mjs';

const root = new URL('..', import.meta.url);
const folder = new URL('shaders/', root);
const files = new Map(
  readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.wgsl'))
    .sort()
    .map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
);
const parts = new Set([...files.values()].flatMap(includesOf));
const shaders = [...files.keys()]
  .filter((name) => !parts.has(name))
  .map((name) => ({ name, stem: posix.basename(name, '.wgsl'), source: composeShader(name, files) }))
  // shaders that begin alike side by side: bundles, which leave comments out, compress better
  .sort((a, b) => (shortenShader(a.source) < shortenShader(b.source) ? -1 : 1));

// a kernel is its shader's stem, wherever that lies
const twin = shaders.find(({ stem }, i) => shaders.some((other, j) => j < i && other.stem === stem));
if (twin) throw new Error(`${twin.name}: another shader has its name`);

/** @param {string} path @param {string} of @param {(name: string) => boolean} isPart */
function embed(path, of, isPart) {
  const entries = shaders
    .filter(({ name }) => isPart(name))
    .map(({ stem, source }) => `  '${stem}': ${JSON.stringify(source)},\n`);
  const text = `// Generated from ${of} by scripts/embed-shaders.mjs; do not edit.
export const shaders = {
${entries.join('')}} as const;

export type ShaderName = keyof typeof shaders;
`;
  const target = new URL(path, root);
  let current = '';
  try {
    current = readFileSync(target, 'utf8');
  } catch {
    // a first run has nothing to compare with
  }
  if (current === text) return;
  if (process.argv.includes('--check')) {
    console.error(`${path} is out of date: run npm run shaders`);
    process.exitCode = 1;
  } else {
    writeFileSync(target, text);
  }
}

const chunks = ['alignment', 'general', 'hardware', 'software', 'video'];
const isIn = (chunk) => (name) => name.startsWith(`${chunk}/`);
embed('src/kernels/shaders.gen.ts', 'shaders/', (name) => !chunks.some((chunk) => isIn(chunk)(name)));
for (const chunk of chunks) embed(`src/kernels/${chunk}/shaders.gen.ts`, `shaders/${chunk}/`, isIn(chunk));
