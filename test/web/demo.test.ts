import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FileServer, hasChromium, launchChromium, serveFiles } from '../support/browser.ts';
import { dataDir, imageNamed, modelNamed } from '../support/data.ts';
import { buildBundle } from './pages.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const screenshots = `${root}test-results`;

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
    await page.getByRole('button', { name: 'Sample' }).click();
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

  test('thresholds, input size and another model act at once', { timeout: 90_000 }, async () => {
    const page = await open();
    await useTestModel(page);
    await page.getByRole('button', { name: 'Sample' }).click();
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
    await page.getByRole('button', { name: 'Sample' }).click();
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
    await page.getByRole('button', { name: 'Sample' }).click();
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
    await page.getByRole('button', { name: 'Sample' }).click();
    await waitForCount(page, '1 face');
    await waitForStatus(page, /^Ready/);
  });

  test('works by keyboard, every control has a name, dark and phone width', { timeout: 90_000 }, async () => {
    const page = await open({ colorScheme: 'dark', viewport: { width: 1280, height: 900 } });
    await useTestModel(page);
    const focused = new Set<string>();
    for (let i = 0; i < 14; i++) {
      await page.keyboard.press('Tab');
      focused.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || ''));
    }
    for (const id of ['theme', 'picture', 'sample', 'camera', 'score', 'iou', 'size', 'model', 'model-file']) {
      expect([...focused], 'reached by Tab').toContain(id);
    }
    await page.locator('#sample').focus();
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
    await phone.getByRole('button', { name: 'Sample' }).click();
    await waitForCount(phone, '1 face');
    for (const width of [390, 360]) {
      await phone.setViewportSize({ width, height: 844 });
      expect(await phone.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    }
    // as many pixels as the screen has
    const sharp = await phone.evaluate(() => {
      const canvas = document.querySelector('canvas')!;
      return canvas.width / canvas.getBoundingClientRect().width;
    });
    expect(sharp).toBeGreaterThan(2.9);
    await phone.screenshot({ path: `${screenshots}/demo-phone.png`, fullPage: true });
  });
});
