// Makes the types in dist/ stand by themselves: a declaration that speaks of a page's or WebGPU's globals imports them from
// globals.d.ts. A compiler that does not know a name says so only without skipLibCheck, and takes it for `any` with it.
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { posix } from 'node:path';

const source = 'scripts/globals.d.ts';
const globals = [...(await readFile(source, 'utf8')).matchAll(/^export (?:type|declare const) (\w+)/gm)];
const names = [...new Set(globals.map(([, name]) => name))];
const files = (await readdir('dist', { recursive: true })).map((file) => file.replaceAll('\\', '/'));

for (const file of files.filter((file) => file.endsWith('.d.ts') && file !== 'globals.d.ts')) {
  const text = await readFile(`dist/${file}`, 'utf8');
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const used = names.filter((name) => new RegExp(`(?<![.'"\\w])${name}(?!['"\\w]|\\??\\()`).test(code));
  if (used.length === 0) continue;
  const path = posix.relative(posix.dirname(file), 'globals.js');
  const line = `import type { ${used.join(', ')} } from '${path.startsWith('.') ? path : `./${path}`}';\n`;
  // references to libraries stay first
  const start = /^(?:\/\/\/.*\n)*/.exec(text)[0].length;
  await writeFile(`dist/${file}`, text.slice(0, start) + line + text.slice(start));
}
await copyFile(source, 'dist/globals.d.ts');
