// Installs the packed package, with Next.js from npm, in an empty folder, builds a page of it by Turbopack and by webpack, and
// counts faces in it in Chromium:
//   node --import tsx test/manual/next.ts

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { installPacked } from '../package/packed.ts';
import { launchChromium, serveFiles } from '../support/browser.ts';
import { blockWith } from '../support/documents.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'scrfd-next-'));
process.once('exit', () => rmSync(folder, { recursive: true }));

const PAGE = `'use client';
import { useFaces } from './use-faces';
export default function Page() {
  return <p id="faces">{useFaces('/pictures/astronaut.png')?.length}</p>;
}
`;
const LAYOUT = `export default function Layout({ children }: { children: React.ReactNode }) {
  return <html><body>{children}</body></html>;
}
`;

/** What the page of a static export says. */
async function open(site: string): Promise<string> {
  const model = synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 });
  const server = await serveFiles({ '/': site, '/models/': () => model, '/pictures/': `${root}assets` });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error.message));
    await page.goto(server.origin);
    await page.waitForFunction(() => document.querySelector('#faces')?.textContent, undefined, { timeout: 60_000 });
    return (await page.textContent('#faces'))!;
  } finally {
    await browser.close();
    await server.close();
  }
}

const tarball = await installPacked(folder, []);
const app = join(folder, 'app');
mkdirSync(join(app, 'app'), { recursive: true });
writeFileSync(join(app, 'package.json'), JSON.stringify({ private: true }));
writeFileSync(join(app, 'next.config.mjs'), `export default { output: 'export' };\n`);
writeFileSync(join(app, 'app/page.tsx'), PAGE);
writeFileSync(join(app, 'app/layout.tsx'), LAYOUT);
writeFileSync(join(app, 'app/use-faces.ts'), blockWith('docs/browser.md', `from 'react'`));
const packages = ['next@16', 'react@19', 'react-dom@19', 'typescript@5', '@types/react@19', '@types/node@20', tarball];
await run('npm', ['install', '--no-audit', '--no-fund', ...packages], { cwd: app });
const { version } = JSON.parse(readFileSync(join(app, 'node_modules/next/package.json'), 'utf8')) as {
  version: string;
};
for (const bundler of ['turbopack', 'webpack']) {
  const start = performance.now();
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
  const built = await run('npx', ['next', 'build', `--${bundler}`], { cwd: app, env });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const warnings = `${built.stdout}${built.stderr}`.split('\n').filter((line) => /warn|⚠/i.test(line));
  console.log(`Next.js ${version}, ${bundler}: built in ${seconds} s; ${await open(join(app, 'out'))} faces`);
  for (const line of warnings) console.error(`  ${line}`);
  if (warnings.length > 0) process.exitCode = 1;
  rmSync(join(app, 'out'), { recursive: true });
}
