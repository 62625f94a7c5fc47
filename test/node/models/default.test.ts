import { copyFile, mkdir, mkdtemp, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chooseModel, locateDefault } from '../../../src/node/models/default.ts';
import { dataDir } from '../../support/data.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'scrfd-default-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('USERPROFILE', home);
  vi.stubEnv('SCRFD_HOME', join(home, 'scrfd'));
  vi.stubEnv('SCRFD_OFFLINE', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

/** A machine whose network leads nowhere: requests fail, or never end. */
const refuse: typeof fetch = () => Promise.reject(new TypeError('fetch failed'));
const hang: typeof fetch = (_, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error));
  });

const STAND_IN = { name: 'retinaface_mnet025', path: expect.stringMatching(/retinaface.mnet\.25_v2\.onnx$/) };

describe('without SCRFD weights', () => {
  test('offline: RetinaFace, plainly', async () => {
    const fetch = vi.fn(refuse);
    const chosen = await chooseModel({ offline: true, fetch });
    expect(chosen).toMatchObject(STAND_IN);
    expect(chosen.note).toMatch(/^using retinaface_mnet025, .*no SCRFD model is on this machine and offline none/);
    expect(chosen.note).toMatch(/npx scrfd models fetch scrfd_2\.5g_kps$/);
    expect(fetch).not.toHaveBeenCalled();
  });

  test('SCRFD_OFFLINE does the same', async () => {
    vi.stubEnv('SCRFD_OFFLINE', '1');
    const fetch = vi.fn(refuse);
    expect(await chooseModel({ fetch })).toMatchObject(STAND_IN);
    expect(fetch).not.toHaveBeenCalled();
  });

  test('a network that refuses: every model is tried, quietly, then RetinaFace', async () => {
    const fetch = vi.fn(refuse);
    const notices: string[] = [];
    const chosen = await chooseModel({ fetch, onNotice: (text) => notices.push(text) });
    expect(chosen).toMatchObject(STAND_IN);
    expect(chosen.note).toMatch(/none could be downloaded/);
    expect(notices).toEqual(['no SCRFD model is on this machine; trying to download one']);
    // the next runs neither wait for it nor try it, for an hour
    const again = await chooseModel({ fetch: hang });
    expect(again.note).toMatch(/none could be downloaded 0 min ago\. For a better one: npx scrfd models fetch/);
    const marker = join(home, 'scrfd/models/download-failed');
    await utimes(marker, new Date(), new Date(Date.now() - 3_600_000));
    const later = vi.fn(refuse);
    await chooseModel({ fetch: later });
    expect(later).toHaveBeenCalledTimes(fetch.mock.calls.length);
    const hosts = fetch.mock.calls.map(([url]) => String(url));
    for (const file of ['buffalo_m', 'buffalo_l', 'buffalo_s']) {
      expect(hosts.some((url) => url.includes(file))).toBe(true);
    }
  });

  test('a network that swallows requests costs no more than the patience for all', async () => {
    const start = performance.now();
    expect(await chooseModel({ fetch: hang, patience: 200 })).toMatchObject(STAND_IN);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test('abort rejects with the reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await expect(chooseModel({ fetch: hang, signal: controller.signal })).rejects.toBe(reason);
  });

  test('locateDefault is RetinaFace', async () => {
    expect(await locateDefault()).toMatchObject({ ...STAND_IN, where: 'node_modules' });
  });
});

describe.skipIf(!dataDir)('with det_500m.onnx (needs SCRFD_DATA)', () => {
  test.each([
    ['the cache', 'scrfd/models', 'det_500m.onnx'],
    ["insightface's folder", '.insightface/models/buffalo_s', 'det_500m.onnx'],
  ])('of %s: no download', async (_, folder, name) => {
    await mkdir(join(home, folder), { recursive: true });
    const path = join(home, folder, name);
    await copyFile(join(dataDir!, 'models', 'det_500m.onnx'), path);
    const fetch = vi.fn(refuse);
    const expected = { name: 'scrfd_500m_kps', path };
    expect(await chooseModel({ fetch })).toEqual({ ...expected, note: `using scrfd_500m_kps (${path})` });
    expect(await locateDefault()).toMatchObject(expected);
    expect(fetch).not.toHaveBeenCalled();
  });

  test('of a server, the only one that has a model: downloaded, its licence told first', async () => {
    const bytes = await readFile(join(dataDir!, 'models', 'det_500m.onnx'));
    const fetch = async (url: Parameters<typeof globalThis.fetch>[0]) =>
      String(url).includes('immich-app/buffalo_s/') ? new Response(bytes) : new Response(null, { status: 404 });
    const notices: string[] = [];
    const { name, path } = await chooseModel({ fetch, onNotice: (text) => notices.push(text) });
    expect({ name, path }).toEqual({
      name: 'scrfd_500m_kps',
      path: join(home, 'scrfd', 'models', 'det_500m.onnx'),
    });
    expect(notices).toEqual([
      'no SCRFD model is on this machine; trying to download one',
      expect.stringMatching(/^scrfd_500m_kps: downloading 2\.5 MB\. Licence: .*non-commercial/),
    ]);
  });
});
