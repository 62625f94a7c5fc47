import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FileServer, hasChromium, launchChromium, serveFiles } from '../support/browser.ts';
import { dataDir, imageNamed, modelNamed } from '../support/data.ts';
import { buildBundle } from './pages.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const screenshots = `${root}test-results`;
const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

describe.skipIf(!hasChromium || !dataDir)('the page (needs Chromium and SCRFD_DATA)', () => {
  let browser: Browser;
  let server: FileServer;
  let said: string[] = [];
  const opened: Page[] = [];

  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    await buildBundle();
    await promisify(execFile)('npx', ['vite', 'build', 'demo'], { cwd: root });
    server = await serveFiles({ '/': `${root}demo/dist` });
    browser = await launchChromium(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
  }, 120_000);
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

  /** The page with the real model of the tests, at a size that a software adapter does quickly. */
  async function open(options: BrowserContextOptions & { before?: () => void; ready?: RegExp } = {}): Promise<Page> {
    const { before, ready = /^Ready/, ...context } = options;
    const page = await (await browser.newContext(context)).newPage();
    opened.push(page);
    page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => said.push(`error: ${error.message}`));
    if (before) await page.addInitScript(before);
    await page.goto(server.origin);
    await waitForStatus(page, ready);
    return page;
  }

  async function waitForStatus(page: Page, text: RegExp): Promise<void> {
    await page.locator('#status').filter({ hasText: text }).waitFor({ timeout: 30_000 });
  }

  async function waitForCount(page: Page, text: string | RegExp): Promise<void> {
    await page.locator('#count').filter({ hasText: text }).waitFor({ timeout: 30_000 });
  }

  async function useTestModel(page: Page): Promise<void> {
    await page.getByLabel('Open an .onnx file').setInputFiles(modelNamed('scrfd_500m_kps.onnx'));
    await page.locator('#model').filter({ hasText: 'scrfd_500m_kps.onnx' }).waitFor();
    await waitForStatus(page, /^Ready/);
    await page.getByRole('combobox', { name: 'Input size' }).selectOption('160');
  }

  async function setSlider(page: Page, name: string, value: number): Promise<void> {
    await page.getByRole('slider', { name }).fill(String(value));
  }

  /** What the page says from now on, once each. */
  async function listen(page: Page): Promise<() => Promise<string[]>> {
    await page.evaluate(() => {
      const status = document.querySelector('#status')!;
      const heard: string[] = [];
      Object.assign(globalThis, { heard });
      const options = { childList: true, characterData: true, subtree: true };
      new MutationObserver(() => heard.push(status.textContent!)).observe(status, options);
    });
    return () => page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
  }

  /** What axe finds wrong, and what sticks out of the page or lies on something else. */
  async function findFaults(page: Page): Promise<string[]> {
    await page.addScriptTag({ path: `${root}node_modules/axe-core/axe.min.js` });
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `axe ${id}: ${html}`));
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth > width) found.push(`the page is wider than its ${width} pixels`);
      const boxes = [...document.querySelectorAll('header, #stage, .card, footer')].map((part) => ({
        name: part.id || part.tagName,
        rect: part.getBoundingClientRect(),
      }));
      for (const { name, rect } of boxes) {
        if (rect.left < 0 || rect.right > width + 0.5) found.push(`${name} sticks out`);
        for (const other of boxes) {
          const [a, b] = [rect, other.rect];
          const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 0.5 || b.bottom <= a.top + 0.5;
          if (other.name !== name && !apart) found.push(`${name} lies on ${other.name}`);
        }
      }
      for (const part of document.querySelectorAll<HTMLElement>('button, .button, h2, p, dt, dd, label, summary')) {
        if (part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).display !== 'inline') {
          found.push(`${part.id || part.textContent} does not fit`);
        }
      }
      return found;
    });
  }

  /** Pixels of the colour that boxes are drawn in. */
  function countGreen(page: Page): Promise<number> {
    return page.evaluate(() => {
      const canvas = document.querySelector('canvas')!;
      const { data } = canvas
        .getContext('2d', { willReadFrequently: true })!
        .getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] === 0 && data[i + 1] === 230 && data[i + 2] === 118) count++;
      return count;
    });
  }

  test('the sample, with the model beside the page: a face in words, numbers and pixels', {
    timeout: 90_000,
  }, async () => {
    const page = await open();
    await page.getByRole('button', { name: 'One face' }).click();
    await waitForCount(page, '1 face');
    expect(await page.getByRole('row').count()).toBe(2);
    expect(await countGreen(page)).toBeGreaterThan(200);
    expect(await page.locator('#licence').textContent()).toContain('MIT');
    expect(await page.getByRole('combobox', { name: 'Input size' }).isDisabled()).toBe(true);
    expect(await page.locator('#network').textContent()).toMatch(/ms$|–/);
    expect(await page.locator('#total').textContent()).toMatch(/ms$/);
    expect(await page.locator('#features').textContent()).toContain('core-features');
    await page.screenshot({ path: `${screenshots}/demo-light.png` });
  });

  test('a picture that is opened while another is searched takes its place', { timeout: 90_000 }, async () => {
    const page = await open();
    await useTestModel(page);
    const heard = await listen(page);
    await page.getByRole('button', { name: 'A group' }).click();
    await page.waitForFunction(() => !document.querySelector('#status')!.textContent!.startsWith('Ready'));
    await page.getByLabel('Open', { exact: true }).setInputFiles(imageNamed('hopper.png'));
    await waitForCount(page, '1 face');
    await waitForStatus(page, /^Ready/);
    for (const name of ['A crowd', 'A group', 'One face']) await page.getByRole('button', { name }).click();
    await waitForCount(page, 'Not searched yet');
    await waitForCount(page, '1 face');
    await waitForStatus(page, /^Ready/);
    expect((await heard()).join(' ')).not.toMatch(/detached|closed|does not/);
  });

  test('says what it does until it is done, and what it runs', { timeout: 90_000 }, async () => {
    const page = await open();
    const heard = await listen(page);
    await page.getByLabel('Open an .onnx file').setInputFiles(modelNamed('scrfd_500m_kps.onnx'));
    await waitForStatus(page, /^Ready/);
    await page.getByRole('button', { name: 'One face' }).click();
    await waitForCount(page, '1 face');
    await waitForStatus(page, /^Ready/);
    const said = await heard();
    expect(said[0]).toBe('Reading the model…');
    const search = said.slice(said.indexOf('Looking for faces…'));
    expect(search.slice(0, 3)).toEqual([
      'Looking for faces…',
      'Compiling kernels…',
      'Looking for faces… The first time takes longest.',
    ]);
    expect(search.slice(3)).toEqual([expect.stringMatching(/^Ready\. Searched in/)]);
    const broken = { name: 'broken.onnx', mimeType: 'application/octet-stream', buffer: Buffer.from('<html>') };
    await page.getByLabel('Open an .onnx file').setInputFiles(broken);
    await waitForStatus(page, /This model does not work/);
    const model = page.getByRole('combobox', { name: 'Model' });
    expect(await model.locator('option:checked').textContent()).toBe('scrfd_500m_kps.onnx');
    expect(await model.textContent()).not.toContain('broken');
  });

  test('a worker, crops, hidden faces, JSON and the picture to keep', { timeout: 90_000 }, async () => {
    const viewport = { width: 1280, height: 800 };
    const page = await open({ permissions: ['clipboard-read', 'clipboard-write'], viewport });
    for (const name of ['Copy as JSON', 'Download']) {
      expect(await page.getByRole('button', { name }).isDisabled()).toBe(true);
    }
    await useTestModel(page);
    await page.getByRole('combobox', { name: 'Input size' }).selectOption('640');
    await page.getByRole('button', { name: 'A group' }).click();
    await waitForCount(page, '8 faces');
    await waitForStatus(page, /^Ready\. Searched/);
    await page.screenshot({ path: `${screenshots}/demo-group.png` });
    const here = await page.getByRole('cell').allTextContents();
    await page.getByLabel('Run in a worker').check();
    await waitForStatus(page, /^Ready\. Searched/);
    expect(await page.getByRole('cell').allTextContents()).toEqual(here);
    expect(await page.locator('td canvas').count()).toBe((await page.getByRole('row').count()) - 1);
    await page.getByRole('row').nth(1).hover();
    expect(await page.locator('#marker').isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Copy as JSON' }).click();
    await waitForStatus(page, /on the clipboard/);
    const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText())) as { box: number[] }[];
    expect(copied).toHaveLength((await page.getByRole('row').count()) - 1);
    expect(copied[0]!.box).toHaveLength(4);
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    const { width, height } = await sharp(await file.path()).metadata();
    expect([file.suggestedFilename(), width, height]).toEqual(['faces.png', 1200, 808]);
    await page.getByLabel('Hide faces').check();
    await expect.poll(() => countGreen(page)).toBe(0);
    expect(await page.locator('td canvas').count()).toBe(0);
  });

  test.skipIf(!hasFfmpeg)('a video file, to its end (needs ffmpeg)', { timeout: 90_000 }, async () => {
    const path = `${screenshots}/astronaut.webm`;
    const input = ['-loop', '1', '-i', `${root}assets/astronaut.png`, '-t', '4', '-r', '10', '-vf', 'scale=256:256'];
    await promisify(execFile)('ffmpeg', ['-y', ...input, '-c:v', 'libvpx', '-deadline', 'realtime', path]);
    const page = await open();
    await useTestModel(page);
    await page.getByLabel('Open', { exact: true }).setInputFiles(path);
    await waitForStatus(page, /^Live/);
    await waitForCount(page, '1 face');
    await waitForStatus(page, /That was the end/);
    expect(await page.getByRole('button', { name: 'Stop' }).isDisabled()).toBe(true);
  });

  test('thresholds, input size and another model act at once', { timeout: 90_000 }, async () => {
    const page = await open();
    await useTestModel(page);
    await page.getByRole('button', { name: 'One face' }).click();
    await waitForCount(page, '1 face');
    const before = await page.getByRole('cell').allTextContents();
    await setSlider(page, 'Least score', 0.98);
    await waitForCount(page, 'No faces');
    await setSlider(page, 'Least score', 0.02);
    await waitForCount(page, /\d+ faces/);
    await setSlider(page, 'Least score', 0.5);
    await waitForCount(page, '1 face');
    await page.getByRole('combobox', { name: 'Input size' }).selectOption('320');
    await expect.poll(() => page.getByRole('cell').allTextContents(), { timeout: 30_000 }).not.toEqual(before);
    await waitForCount(page, '1 face');
  });

  test('pictures by file, paste and drop; a broken one is no end', { timeout: 90_000 }, async () => {
    const page = await open();
    await useTestModel(page);
    await page.getByLabel('Open', { exact: true }).setInputFiles(imageNamed('hopper.png'));
    await waitForCount(page, '1 face');
    const text = { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
    await page.getByLabel('Open', { exact: true }).setInputFiles(text);
    await waitForStatus(page, /does not open: the browser cannot decode broken\.png/);
    const give = async (kind: 'paste' | 'drop', path: string) => {
      const bytes = [...readFileSync(path)];
      await page.evaluate(
        ({ kind, bytes }) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'given.png', { type: 'image/png' }));
          const init = { bubbles: true, cancelable: true };
          if (kind === 'paste')
            document.body.dispatchEvent(new ClipboardEvent('paste', { ...init, clipboardData: data }));
          else document.querySelector('#stage')!.dispatchEvent(new DragEvent('drop', { ...init, dataTransfer: data }));
        },
        { kind, bytes },
      );
    };
    await give('paste', imageNamed('noface_cat_chelsea.png'));
    await waitForCount(page, 'No faces');
    await give('drop', imageNamed('hopper.png'));
    await waitForCount(page, '1 face');
    await page.screenshot({ path: `${screenshots}/demo-small-picture.png` });
  });

  test('a broken model is said, and the one before still works', { timeout: 90_000 }, async () => {
    const page = await open();
    await useTestModel(page);
    const broken = { name: 'broken.onnx', mimeType: 'application/octet-stream', buffer: Buffer.from('<html>') };
    await page.getByLabel('Open an .onnx file').setInputFiles(broken);
    await waitForStatus(page, /This model does not work/);
    await page.screenshot({ path: `${screenshots}/demo-broken-model.png` });
    await page.getByRole('button', { name: 'One face' }).click();
    await waitForCount(page, '1 face');
  });

  test('the webcam: frames, rate, off again', { timeout: 90_000 }, async () => {
    const page = await open({ permissions: ['camera'] });
    await useTestModel(page);
    const camera = page.getByRole('button', { name: 'Webcam' });
    await camera.click();
    await page.locator('#rate').filter({ hasText: /\d/ }).waitFor();
    expect(await camera.getAttribute('aria-pressed')).toBe('true');
    await setSlider(page, 'Least score', 0.9);
    await page.waitForTimeout(500);
    await camera.click();
    await waitForStatus(page, /The webcam is off/);
    expect(await camera.getAttribute('aria-pressed')).toBe('false');
    await page.getByRole('button', { name: 'One face' }).click();
    await waitForStatus(page, /^Ready/);
  });

  test('no camera permission, no camera, no WebGPU: each in friendly words', { timeout: 90_000 }, async () => {
    const deny = () => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    };
    const page = await open({ before: deny });
    await page.getByRole('button', { name: 'Webcam' }).click();
    await waitForStatus(page, /The camera is blocked/);
    const none = await open({
      before: () => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'));
      },
    });
    await none.getByRole('button', { name: 'Webcam' }).click();
    await waitForStatus(none, /There is no camera/);
    const without = await open({
      before: () => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }),
      ready: /^This browser has no WebGPU\..*Chrome/,
    });
    expect(await without.locator('main :is(button, input, select):enabled').count()).toBe(0);
    await without.screenshot({ path: `${screenshots}/demo-no-webgpu.png` });
  });

  test('a lost device comes back with the next picture', { timeout: 90_000 }, async () => {
    const page = await open({
      before: () => {
        const request = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (descriptor) {
          const device = await request.call(this, descriptor);
          (globalThis as unknown as { lastDevice: GPUDevice }).lastDevice = device;
          return device;
        };
      },
    });
    await useTestModel(page);
    await page.evaluate(() => (globalThis as unknown as { lastDevice: GPUDevice }).lastDevice.destroy());
    await waitForStatus(page, /The GPU went away/);
    await page.getByRole('button', { name: 'One face' }).click();
    await waitForCount(page, '1 face');
    await waitForStatus(page, /^Ready/);
  });

  test('works by keyboard, every control has a name, dark and phone width', { timeout: 90_000 }, async () => {
    const page = await open({ colorScheme: 'dark', viewport: { width: 1280, height: 900 } });
    await useTestModel(page);
    const focused = new Set<string>();
    for (let i = 0; i < 20; i++) {
      await page.keyboard.press('Tab');
      focused.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || ''));
    }
    for (const id of ['theme', 'one', 'crowd', 'picture', 'camera', 'score', 'blur', 'model', 'model-file', 'worker']) {
      expect([...focused], 'reached by Tab').toContain(id);
    }
    await page.locator('#one').focus();
    await page.keyboard.press('Enter');
    await waitForCount(page, '1 face');
    await page.locator('#score').focus();
    await page.keyboard.press('End');
    await page.screenshot({ path: `${screenshots}/demo-dark.png` });
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>('button, input, select, progress')]
        .filter((control) => !control.textContent?.trim() && !control.labels?.length && !control.ariaLabel)
        .map(({ id }) => id),
    );
    expect(unnamed).toEqual([]);
    expect(await page.getByRole('button', { name: 'Dark' }).getAttribute('aria-pressed')).toBe('true');
    await page.getByRole('button', { name: 'Dark' }).click();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('light');

    const phone = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 3, isMobile: true });
    await useTestModel(phone);
    await phone.getByRole('button', { name: 'One face' }).click();
    await waitForCount(phone, '1 face');
    for (const width of [390, 360]) {
      await phone.setViewportSize({ width, height: 844 });
      // the canvas follows in the next frame
      await phone.waitForFunction((width) => document.documentElement.scrollWidth <= width, width);
    }
    // as many pixels as the screen has
    const sharp = await phone.evaluate(() => {
      const canvas = document.querySelector('canvas')!;
      return canvas.width / canvas.getBoundingClientRect().width;
    });
    expect(sharp).toBeGreaterThan(2.9);
    await phone.screenshot({ path: `${screenshots}/demo-phone.png`, fullPage: true });
  });

  test('at 390, 768 and 1440 pixels, light and dark: nothing overlaps, sticks out or is inaccessible', {
    timeout: 180_000,
  }, async () => {
    const page = await open();
    const look = async (state: string) => {
      for (const width of [390, 768, 1440]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          // the picture is drawn again for its new width
          await page.waitForFunction((width) => document.documentElement.scrollWidth === width, width);
          const name = `${state}-${width}-${colorScheme}`;
          await page.screenshot({ path: `${screenshots}/demo-${name}.png`, fullPage: width === 390 });
          expect(await findFaults(page), name).toEqual([]);
        }
      }
    };
    await look('empty');
    await useTestModel(page);
    await page.getByRole('combobox', { name: 'Input size' }).selectOption('640');
    await page.getByRole('button', { name: 'A crowd' }).click();
    await waitForCount(page, '160 faces');
    await waitForStatus(page, /^Ready/);
    await look('crowd');
    const name = `${'a-long-name-without-a-space'.repeat(12)}.png`;
    await page
      .getByLabel('Open', { exact: true })
      .setInputFiles({ name, mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await waitForStatus(page, /does not open/);
    await look('error');
  });
});
