import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ModelEntry, Source } from '../../src/models/registry.ts';
import type * as cache from '../../src/web/model-cache.ts';
import { hasChromium, launchChromium } from '../support/browser.ts';
import { cut, FaultServer } from '../support/fault-server.ts';
import { createRng } from '../support/rng.ts';

const BYTES = createRng(1).bytes(300_000);
const WRONG = createRng(2).bytes(300_000);
const CORS = { 'access-control-allow-origin': '*' };

function model(...sources: Source[]): ModelEntry {
  const sha256 = createHash('sha256').update(BYTES).digest('hex');
  const { byteLength: bytes } = BYTES;
  return { name: 'm', aliases: [], description: '', file: 'm.onnx', bytes, sha256, licence: 'none', sources };
}

const file = (url: string): Source => ({ kind: 'file', url });

describe.skipIf(!hasChromium)('in Chromium', () => {
  const server = new FaultServer();
  const elsewhere = new FaultServer();
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    await Promise.all([server.start(), elsewhere.start()]);
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('../../src/web/model-cache.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'scrfd',
      platform: 'browser',
    });
    const script = outputFiles[0]!.text.replaceAll('</script', '<\\/script');
    const html = `<!doctype html><script>${script}</script>`;
    server.whole('/', new TextEncoder().encode(html), { 'content-type': 'text/html' });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    server.stop();
    elsewhere.stop();
  });
  beforeEach(async () => {
    await page?.context().close();
    page = await (await browser.newContext()).newPage();
    await page.goto(server.origin);
    server.requests = [];
  });

  /** What fetchModel gives in the page: the bytes' checksum or the error, and what is stored afterwards. */
  function fetchModel(entry: ModelEntry, { offline = false, abortAfter = 0 } = {}) {
    return page.evaluate(
      async ({ entry, offline, abortAfter }) => {
        const { fetchModel } = (globalThis as unknown as { scrfd: typeof cache }).scrfd;
        const progress: number[] = [];
        const notices: string[] = [];
        const controller = new AbortController();
        const result = await fetchModel(entry, {
          offline,
          stallTimeout: 300,
          signal: controller.signal,
          onNotice: (notice) => notices.push(notice),
          onProgress: ({ received }) => {
            progress.push(received);
            if (abortAfter > 0 && received >= abortAfter) controller.abort(new Error('enough'));
          },
        }).then(
          async (bytes) => {
            const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
            return { sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') };
          },
          (error: Error) => ({ error: `${error.name}: ${error.message}` }),
        );
        const stored = await (await caches.open('scrfd-models')).keys();
        return { ...result, progress, notices, stored: stored.length };
      },
      { entry, offline, abortAfter },
    );
  }

  test('a model is streamed, checked, stored, and read back without a server', async () => {
    const entry = model(file(server.whole('/m', BYTES)));
    const first = await fetchModel(entry);
    expect(first).toMatchObject({
      sha256: entry.sha256,
      stored: 1,
      notices: ['m: downloading 0.3 MB. Licence: none.'],
    });
    expect(first.progress.at(-1)).toBe(BYTES.byteLength);
    const second = await fetchModel(entry, { offline: true });
    expect(second).toMatchObject({ sha256: entry.sha256, progress: [], notices: [] });
    expect(server.requests.filter((request) => request.includes('/m'))).toEqual(['GET /m']);
  });

  test('a stored model whose bytes are wrong is thrown away', async () => {
    const entry = model(file(server.whole('/m', BYTES)));
    await page.evaluate(
      async ({ sha256, wrong }) => {
        const store = await caches.open('scrfd-models');
        await store.put(`https://scrfd.invalid/${sha256}/m.onnx`, new Response(wrong));
      },
      { sha256: entry.sha256, wrong: 'wrong' },
    );
    expect(await fetchModel(entry, { offline: true })).toMatchObject({
      error: expect.stringMatching(/^ModelError: m: not stored/),
      stored: 0,
    });
    expect(await fetchModel(entry)).toMatchObject({ sha256: entry.sha256, stored: 1 });
  });

  test('faults name their source, store nothing, and the next source is tried', async () => {
    const silent = server.on('/silent', (_, response) => void response.write(BYTES.subarray(0, 1000)));
    const cutOff = server.on('/cut', (_, response) => {
      response.writeHead(200, { 'content-length': BYTES.byteLength });
      cut(response, BYTES.subarray(0, 1000));
    });
    const bad = [
      [`${server.origin}/absent`, 'expected HTTP 200, got 404'],
      [server.whole('/wrong', WRONG), 'expected SHA-256'],
      [server.whole('/short', BYTES.subarray(0, 9)), 'expected a file of 300000 bytes, got one of 9'],
      [silent, 'nothing came for 0.3 s'],
      [cutOff, ''],
      [elsewhere.whole('/no-cors', BYTES), 'Failed to fetch'],
    ] as const;
    const { error, stored } = (await fetchModel(model(...bad.map(([url]) => file(url))))) as {
      error: string;
      stored: number;
    };
    expect(error).toMatch(/^ModelError: m: no source gave the file\. /);
    for (const [url, reason] of bad) expect(error).toContain(`${url}: ${reason}`);
    expect(stored).toBe(0);
    const entry = model(file(bad[1][0]), file(elsewhere.whole('/cors', BYTES, CORS)));
    expect(await fetchModel(entry)).toMatchObject({ sha256: entry.sha256, stored: 1 });
  });

  test('a cut is taken up', async () => {
    const entry = model(file(server.ranged('/r', BYTES, { cuts: 1, cutAt: 100_000 })));
    expect(await fetchModel(entry)).toMatchObject({ sha256: entry.sha256, stored: 1 });
    expect(server.requests.filter((request) => request.includes('/r')).at(-1)).toMatch(/bytes=\d+-$/);
  });

  test('a member of an archive', async () => {
    const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
    await writer.add('pack/m.onnx', new Uint8ArrayReader(BYTES));
    await writer.add('pack/big.bin', new Uint8ArrayReader(createRng(3).bytes(1_000_000)));
    const archive = await writer.close();
    server.served = 0;
    const entry = model({ kind: 'zip-member', url: server.ranged('/p.zip', archive), member: 'm.onnx' });
    expect(await fetchModel(entry)).toMatchObject({ sha256: entry.sha256, stored: 1 });
    expect(server.served).toBeLessThan(500_000);
  });

  test('an abort in the middle', async () => {
    const url = server.on('/slow', (_, response) => void response.write(BYTES.subarray(0, 100_000)));
    expect(await fetchModel(model(file(url)), { abortAfter: 1 })).toMatchObject({ error: 'Error: enough', stored: 0 });
  });

  test('a model that only npm has', async () => {
    const entry = model({ kind: 'npm', package: 'p', version: '1.0.0', member: 'm.onnx' });
    expect(await fetchModel(entry)).toMatchObject({ error: expect.stringContaining('serve its file yourself') });
  });
});
