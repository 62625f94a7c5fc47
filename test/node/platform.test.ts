import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { adapterHelp } from '../../src/node/adapter-help.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { hidePackage } from '../cli/hide-package.ts';
import { runNode } from '../cli/run-cli.ts';

let folder: string;
let server: Server;
let origin: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-platform-'));
  await mkdir(join(folder, 'weights'));
  await writeFile(join(folder, 'm.onnx'), 'model');
  await writeFile(join(folder, 'weights', 'a b.bin'), 'weights');
  server = createServer((request, response) => {
    if (request.url === '/models/m.onnx') response.end('remote model');
    else if (request.url === '/models/weights/a%20b.bin') response.end('remote weights');
    else if (request.url !== '/slow') response.writeHead(404).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe('readModel', () => {
  test('a path, a file: URL and an http: URL, and the files beside them', async () => {
    const path = join(folder, 'm.onnx');
    for (const source of [path, pathToFileURL(path), pathToFileURL(path).href]) {
      const { bytes, readExternal } = await nodePlatform.readModel(source, {});
      expect(text(bytes)).toBe('model');
      expect(text(await readExternal!('weights/a b.bin'))).toBe('weights');
    }
    const { bytes, readExternal } = await nodePlatform.readModel(`${origin}/models/m.onnx`, {});
    expect(text(bytes)).toBe('remote model');
    expect(text(await readExternal!('weights/a b.bin'))).toBe('remote weights');
    await expect(readExternal!('absent.bin')).rejects.toThrow(/models\/absent\.bin: expected HTTP 200, got 404/);
  });

  test.each([
    ['an absent file', () => join(folder, 'absent.onnx'), /absent\.onnx: no such file/],
    ['a file in a file', () => join(folder, 'm.onnx', 'm.onnx'), /no such file/],
    ['a folder', () => folder, /expected a file, got a folder/],
    ['an absent page', () => `${origin}/absent`, /absent: expected HTTP 200, got 404/],
    ['no server', () => 'http://127.0.0.1:1/m.onnx', /127\.0\.0\.1:1\/m\.onnx: (?!fetch failed)/],
  ])('%s is a ModelError', async (_, source, message) => {
    const error = await nodePlatform.readModel(source(), {}).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ModelError);
    expect((error as Error).message).toMatch(message);
  });

  test('abort rejects with the reason', async () => {
    const reason = new Error('enough');
    await expect(nodePlatform.readModel(join(folder, 'm.onnx'), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const controller = new AbortController();
    const reading = nodePlatform.readModel(`${origin}/slow`, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(reading).rejects.toBe(reason);
  });
});

describe('files beside a model', () => {
  test('links may stay in the folder, or lead to where the model itself is', async () => {
    const at = (name: string) => join(folder, 'linked', name);
    await mkdir(at('snapshot'), { recursive: true });
    await mkdir(at('blobs'));
    for (const name of ['m', 'w']) {
      await writeFile(at(`blobs/${name}`), name);
      await symlink(at(`blobs/${name}`), at(`snapshot/${name}`));
    }
    await writeFile(at('blobs/own'), 'own');
    await symlink('own', at('blobs/alias'));
    for (const [model, location] of [
      ['snapshot/m', 'w'],
      ['blobs/m', 'alias'],
    ] as const) {
      const { readExternal } = await nodePlatform.readModel(at(model), {});
      expect(text(await readExternal!(location))).toBe(location === 'w' ? 'w' : 'own');
    }
    await writeFile(at('secret'), 'secret');
    await symlink('../secret', at('blobs/out'));
    await symlink('..', at('blobs/up'));
    const { readExternal } = await nodePlatform.readModel(pathToFileURL(at('blobs/m')), {});
    for (const location of ['out', 'up/secret']) {
      await expect(readExternal!(location)).rejects.toThrow(
        /expected an external file inside the model's folder, it links to .*secret; copy it there/,
      );
    }
    execFileSync('mkfifo', [at('blobs/pipe')]);
    await expect(readExternal!('pipe')).rejects.toThrow(/pipe: expected a file, got a pipe/);
  });

  test('a model and all that lies beside it are limited together', async () => {
    const { readExternal } = await nodePlatform.readModel(join(folder, 'm.onnx'), { limits: { maxBytes: 13 } });
    expect(text(await readExternal!('weights/a b.bin'))).toBe('weights');
    await expect(readExternal!('weights/a b.bin')).rejects.toThrow('expected at most 1 bytes (maxBytes), got 7');
    await expect(nodePlatform.readModel(`${origin}/models/m.onnx`, { limits: { maxBytes: 11 } })).rejects.toThrow(
      'models/m.onnx: expected a file of at most 11',
    );
  });

  test('nothing lies beside a data: URL', async () => {
    const { readExternal } = await nodePlatform.readModel('data:application/octet-stream,model', {});
    const error = await readExternal!('w.bin').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ModelError);
    expect((error as Error).message).toBe(
      "'w.bin': nothing lies beside a data: URL; load the model by path or http(s) URL",
    );
  });
});

describe('adapterHelp', () => {
  test.each([
    ['darwin', '', /update macOS/],
    ['win32', '', /graphics driver/],
    ['freebsd', '', /not on freebsd/],
    ['linux', '', /Mesa 23 or newer/],
    ['linux', 'ID=fedora\nVERSION_ID=42\n', /Mesa 23 or newer/],
    [
      'linux',
      'PRETTY_NAME="Debian"\nVERSION_ID="12"\nID=debian\n',
      /apt-get install -t bookworm-backports mesa-vulkan/,
    ],
    ['linux', 'ID=debian\nVERSION_ID="13"\n', /apt-get install mesa-vulkan-drivers/],
    ['linux', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', /scripts\/install-software-vulkan\.sh/],
    ['linux', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', /apt-get install mesa-vulkan-drivers/],
  ] as const)('%s %j', (platform, osRelease, help) => {
    expect(adapterHelp(platform, osRelease)).toMatch(help);
  });

  test('this machine gets some', () => {
    expect(nodePlatform.adapterHelp()).toMatch(/^WebGPU .*\.$/);
  });
});

describe('packages that are not installed', () => {
  test.each([
    ['sharp', `openImage('any.png', undefined)`, /ImageError.*npm install sharp/],
    ['webgpu', 'requestAdapter()', /DeviceError.*npm install webgpu/],
  ])('%s: the error says how to install it', async (name, call, message) => {
    const code = `import { nodePlatform } from './src/node/platform.ts';
      await nodePlatform.${call}.catch((error) => console.log(error.name, error.message));`;
    const { stdout } = await runNode(['--import', hidePackage(name), '--input-type=module', '--eval', code]);
    expect(stdout).toMatch(message);
  });

  test('isSupported: with an adapter true, without the package false', async () => {
    const code = "import { isSupported } from './src/index.node.ts'; console.log(await isSupported());";
    const run = (...args: string[]) => runNode([...args, '--input-type=module', '--eval', code]);
    expect((await run()).stdout).toBe('true\n');
    expect((await run('--import', hidePackage('webgpu'))).stdout).toBe('false\n');
  });
});
