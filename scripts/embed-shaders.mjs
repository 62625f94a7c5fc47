// Writes src/shaders.gen.ts from shaders/*.wgsl, so that bundlers and Node need no plugin to load them.
// With --check it only tells whether the file is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const target = new URL('src/shaders.gen.ts', root);
const names = readdirSync(new URL('shaders/', root))
  .filter((name) => name.endsWith('.wgsl'))
  .sort();
const entries = names.map((name) => {
  const source = readFileSync(new URL(`shaders/${name}`, root), 'utf8');
  return `  '${name.slice(0, -5)}': ${JSON.stringify(source)},\n`;
});
const text = `// Generated from shaders/*.wgsl by scripts/embed-shaders.mjs; do not edit.
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
    console.error('src/shaders.gen.ts is out of date: run npm run shaders');
    process.exit(1);
  }
} else if (current !== text) {
  writeFileSync(target, text);
}
