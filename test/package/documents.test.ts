import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelNames } from '../../src/index.node.ts';
import { dataDir, modelNamed } from '../support/data.ts';
import { blocks, blockWith, inLanguage } from '../support/documents.ts';
import { leastNode, runtimes } from '../support/runtimes.ts';
import { installPacked } from './packed.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'scrfd-documents-'));

/** What readers of a page have already, or put in themselves. */
const GIVEN = `
declare const canvas: HTMLCanvasElement;
declare const context: CanvasRenderingContext2D;
declare const video: HTMLVideoElement;
declare const camera: MediaStream;
declare const image: HTMLImageElement;
declare const model: string;
declare const paths: readonly string[];
declare const detector: import('scrfd-webgpu').Detector;
declare const createWorkerDetector: typeof import('scrfd-webgpu').createWorkerDetector;
declare const createDetector: typeof import('scrfd-webgpu').createDetector;
declare const faces: readonly import('scrfd-webgpu').Face[];
declare const face: import('scrfd-webgpu').Face;
declare function show(frame: unknown, faces: readonly import('scrfd-webgpu').Face[]): void;
`;

const ELECTRON = `
declare module 'electron' {
  export const app: { whenReady(): Promise<void> };
  export const ipcMain: {
    handle(channel: string, listener: (event: unknown, path: string) => Promise<unknown>): void;
  };
  export class BrowserWindow {
    constructor(options: { webPreferences: { preload: string } });
    loadFile(path: string): Promise<void>;
  }
}
`;

describe('what the documents show', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    const own = ['webgpu', 'sharp', '@zip.js', 'munkres', 'nanotar', 'detect-libc', 'semver', '@img'];
    const others = ['@webgpu', '@types', 'undici-types', 'debug', 'ms', 'bullmq', 'ioredis', 'react', 'vue'];
    await installPacked(folder, [...own, ...others]);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('names a language for every block, and only ones that are looked at', () => {
    const known = ['sh', 'js', 'ts', 'tsx', 'html', 'json', 'yaml', 'dockerfile'];
    const others = blocks.filter(({ language }) => !known.includes(language) && language !== '');
    expect(others.map(({ page, line, language }) => `${page}:${line} ${language}`)).toEqual([]);
    expect(inLanguage('js', 'ts').length).toBeGreaterThan(15);
  });

  test.each(['typescript', 'older-typescript'])('all programs compile, strictly: %s', async (compiler) => {
    const project = join(folder, compiler);
    mkdirSync(project);
    writeFileSync(join(project, 'given.d.ts'), GIVEN);
    writeFileSync(join(project, 'electron.d.ts'), ELECTRON);
    inLanguage('js', 'ts', 'tsx').forEach(({ page, line, language, code }) => {
      const name = `${page.replaceAll(/\W/g, '-')}-${line}.${language}`;
      writeFileSync(join(project, name), `${code}\nexport {};\n`);
    });
    const compilerOptions = {
      ...{ moduleResolution: 'bundler', module: 'esnext', target: 'es2022', strict: true, noEmit: true },
      ...{ lib: ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.Iterable'], types: ['node', '@webgpu/types'] },
      ...{ skipLibCheck: true, allowJs: true, checkJs: true, jsx: 'preserve' },
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }));
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc');
    const result = run(process.execPath, [tsc, '-p', project]);
    expect((await result.catch((error: { stdout: string }) => error)).stdout).toBe('');
  });

  test('what is called JavaScript is that, in the oldest Node that is named', async () => {
    const { engines } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { engines: { node: string } };
    expect(readFileSync(`${root}README.md`, 'utf8')).toContain(`Node ${engines.node.replace('>=', '')} or newer`);
    for (const { page, line, code } of inLanguage('js')) {
      const file = join(folder, 'block.mjs');
      writeFileSync(file, code);
      const { stderr } = await run(leastNode ?? process.execPath, ['--check', file]).catch(
        (error: { stderr: string }) => error,
      );
      expect(stderr, `${page}:${line}`).toBe('');
      // this Node may be newer than the oldest, where that is not installed
      expect(code, `${page}:${line}`).not.toMatch(/\bawait using\b/);
    }
  });

  test.for(runtimes)(
    "the README's program for Node finds the face in $name (needs it and SCRFD_DATA)",
    async ({ command, args }, { skip }) => {
      if (command === null || !dataDir) return skip();
      const home = mkdtempSync(join(folder, 'home-'));
      copyFileSync(modelNamed('scrfd_2.5g_kps.onnx'), join(home, 'scrfd_2.5g_kps'));
      copyFileSync(`${root}assets/astronaut.png`, join(home, 'photo.jpg'));
      writeFileSync(join(home, 'faces.mjs'), blockWith('README.md', 'photo.jpg'));
      const { stdout } = await run(command, [...args, 'faces.mjs'], {
        cwd: home,
        env: { ...process.env, NO_COLOR: '1' },
      });
      expect(stdout.match(/^0\.\d+ \[/gm)).toHaveLength(1);
    },
  );

  test.skipIf(!dataDir)('the server answers, refuses what is too much, and ends (needs SCRFD_DATA)', async () => {
    const home = mkdtempSync(join(folder, 'server-'));
    copyFileSync(modelNamed('scrfd_2.5g_kps.onnx'), join(home, 'scrfd_2.5g_kps'));
    writeFileSync(join(home, 'server.mjs'), blockWith('docs/server.md', 'createServer'));
    const server = spawn(process.execPath, ['server.mjs'], { cwd: home, env: { ...process.env, PORT: '0' } });
    const ended = once(server, 'exit');
    try {
      const [said] = (await once(server.stdout, 'data')) as [Buffer];
      const origin = `http://localhost:${/port: (\d+)/.exec(String(said))![1]}`;
      const post = (body: Uint8Array<ArrayBuffer> | ReadableStream) =>
        fetch(`${origin}/faces`, { method: 'POST', body, duplex: 'half' } as RequestInit);
      const picture = new Uint8Array(readFileSync(`${root}assets/astronaut.png`));
      expect(((await (await post(picture)).json()) as { faces: unknown[] }).faces).toHaveLength(1);
      expect((await post(new TextEncoder().encode('no picture'))).status).toBe(400);
      const rush = await Promise.all(Array.from({ length: 40 }, () => post(picture)));
      const answers = rush.map(({ status }) => status);
      expect(answers.filter((status) => status === 200).length).toBeGreaterThanOrEqual(16);
      expect(answers.filter((status) => status === 429).length).toBeGreaterThan(0);
      expect(answers.filter((status) => status !== 200 && status !== 429)).toEqual([]);
      // an upload that does not say how long it is: the server need not hear it out. Its parts wait for the event loop, as any
      // network does: else nobody hears the answer, and they fill the memory
      let parts = 0;
      const long = new ReadableStream({
        async pull(controller) {
          await setImmediate();
          if (parts++ < 300) controller.enqueue(new Uint8Array(1_000_000));
          else controller.close();
        },
      });
      const status = await post(long).then(
        (response) => response.status,
        () => 'the connection is closed',
      );
      expect([413, 'the connection is closed']).toContain(status);
      expect(parts).toBeLessThan(300);
      expect(await (await fetch(`${origin}/health`)).json()).toEqual({ waiting: 0 });
    } finally {
      server.kill('SIGTERM');
    }
    expect((await ended)[0]).toBe(0);
  });

  test('the Dockerfile has no faults, and installs and starts what is tested', async () => {
    const code = blockWith('docs/server.md', 'FROM ');
    expect(validate(code)).toEqual([]);
    expect(validate(code.replace('USER', 'USR'))).not.toEqual([]);
    const { stdout: driver } = await run('bash', [`${root}scripts/install-software-vulkan.sh`, '--dry-run']);
    expect(driver).toContain(/--no-install-recommends (.*) \\$/m.exec(code)![1]);
    const { name, peerDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
      name: string;
      peerDependencies: object;
    };
    expect(/npm install (.*) \\$/m.exec(code)![1]!.split(' ').sort()).toEqual(
      [name, ...Object.keys(peerDependencies)].sort(),
    );
    expect(modelNames()).toContain(/scrfd models fetch (\S+)/.exec(code)![1]);
    expect(code).toMatch(/^COPY server\.mjs \.$[\s\S]*^CMD \["node", "server\.mjs"\]$/m);
  });

  test('JSON is JSON, and shell is shell', async () => {
    for (const { code } of inLanguage('json')) expect(() => JSON.parse(code)).not.toThrow();
    for (const { page, line, code } of inLanguage('sh')) {
      const { stderr } = await run('bash', ['-n', '-c', code]).catch((error: { stderr: string }) => error);
      expect(stderr, `${page}:${line}`).toBe('');
    }
  });

  test('commands have the options that are shown', async () => {
    const help = async (...names: readonly string[]) =>
      (await run(process.execPath, [`${root}dist/cli/main.js`, ...names, '--help'])).stdout;
    const known = new Map<string, string>();
    const calls = inLanguage('sh').flatMap(({ page, line, code }) =>
      [...code.replaceAll('\\\n', ' ').matchAll(/\bscrfd ((?:models |eval )?[a-z]+)([^\n|;&#]*)/g)].map((match) => ({
        ...{ where: `${page}:${line}`, command: match[1]!, options: match[2]!.match(/(?<=\s)--[a-z-]+/g) ?? [] },
      })),
    );
    expect(calls.length).toBeGreaterThan(10);
    for (const { where, command, options } of calls) {
      if (!known.has(command)) known.set(command, await help(...command.split(' ')));
      for (const option of options) expect(known.get(command), `${where}: scrfd ${command}`).toContain(option);
    }
    const scripts = JSON.parse(readFileSync(`${root}package.json`, 'utf8')).scripts as Record<string, string>;
    for (const { page, line, code } of inLanguage('sh')) {
      for (const [, script] of code.matchAll(/\bnpm run ([\w:]+)/g)) {
        expect(Object.keys(scripts), `${page}:${line}`).toContain(script);
      }
    }
  });

  test('messages of the troubleshooting guide are said somewhere', () => {
    const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(`${root}src/${name}`, 'utf8'))
      .join('\n');
    const guide = readFileSync(`${root}docs/troubleshooting.md`, 'utf8');
    const said = [...guide.matchAll(/^\| `([^`]+)`/gm)].map(([, text]) => text!);
    expect(said.length).toBeGreaterThan(12);
    const parts = said.flatMap((text) => text.split('…').map((part) => part.trim())).filter((part) => part.length > 3);
    expect(parts.filter((part) => !sources.includes(part))).toEqual([]);
  });
});
