import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import type * as scrfd from '../../src/index.web.ts';
import { type FileServer, hasChromium, launchChromium, type Mount, serveFiles } from '../support/browser.ts';
import { dataDir } from '../support/data.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What the test pages offer to the functions that are evaluated in them. */
declare global {
  var lib: typeof scrfd;
  var model: string;
}

const HTML = `<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">
<script type="module">
  globalThis.model = '/data/models/scrfd_500m_kps.onnx';
  globalThis.lib = await import('/lib/index.js');
</script>`;

export interface Pages {
  readonly browser: Browser;
  readonly origin: string;
  /** A page with the built library as `lib`; what it says on its console fails the test. */
  open(options?: BrowserContextOptions & { readonly before?: () => void }): Promise<Page>;
}

/** The bundle is built once a file: tests are of what users get. */
export async function buildBundle(): Promise<void> {
  await promisify(execFile)(process.execPath, ['scripts/build-browser.mjs'], { cwd: root });
}

/** A suite in Chromium on the built files; skipped without Chromium or SCRFD_DATA, as its title says. */
export function inChromium(
  title: string,
  suite: (pages: () => Pages) => void,
  {
    args = [],
    mounts = {},
  }: { readonly args?: readonly string[]; readonly mounts?: Readonly<Record<string, Mount>> } = {},
): void {
  describe.skipIf(!hasChromium || !dataDir)(`${title} (needs Chromium and SCRFD_DATA)`, () => {
    let browser: Browser;
    let server: FileServer;
    let said: string[] = [];
    const opened: Page[] = [];

    beforeAll(async () => {
      await buildBundle();
      const page = (path: string) => (path === 'index.html' ? HTML : undefined);
      const fixed = { '/': page, '/lib/': `${root}dist/browser`, '/data/': dataDir!, '/assets/': `${root}assets` };
      server = await serveFiles({ ...fixed, ...mounts });
      browser = await launchChromium(args);
    });
    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((page) => page.context().close()));
      const lines = said;
      said = [];
      expect(lines, 'said on the console').toEqual([]);
    });

    async function open({ before, ...options }: Parameters<Pages['open']>[0] = {}): Promise<Page> {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      opened.push(page);
      page.on('console', (message) => {
        // the browser's own remark on a file that is asked for in vain
        const missing = message.text().startsWith('Failed to load resource');
        if (!missing) said.push(`${message.type()}: ${message.text()}`);
      });
      page.on('pageerror', (error) => said.push(`error: ${error.message}`));
      if (before) await page.addInitScript(before);
      await page.goto(server.origin);
      await page.waitForFunction(() => 'lib' in globalThis);
      return page;
    }

    suite(() => ({ browser, origin: server.origin, open }));
  });
}
