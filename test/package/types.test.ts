import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked } from './packed.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'scrfd-types-'));

const USE = `
import { createDetector, createNetwork, createWorkerDetector, drawFaces, type Face } from 'scrfd-webgpu';
import { readImage } from 'scrfd-webgpu/node';
const detector = await createDetector('m.onnx', { inputSizes: [[128, 128], [640, 640]] });
const faces: Face[] = await detector.detect(await readImage('a.png'));
for await (const { frame } of detector.stream(['a.png'])) frame satisfies string;
detector.addEventListener('devicelost', ({ detail }) => detail.reason satisfies string);
await using network = await createNetwork('m.onnx', { inputShape: [1, 3, 64, 64] });
// @ts-expect-error a score is no text
const text: string = faces[0]!.score;
// @ts-expect-error no picture
await detector.detect(42);
// @ts-expect-error no picture either
await detector.detect({ width: 3 });
// @ts-expect-error no method of a device
detector.device.nothing();
// @ts-expect-error no such option
await createDetector('m.onnx', { scoreTreshold: 0.5 });
export { text, network, createWorkerDetector, drawFaces };
`;

const IN_PAGES = `
// @ts-expect-error what reads files is Node's alone
import { readImage } from 'scrfd-webgpu';
import { createDetector } from 'scrfd-webgpu';
(await createDetector('m.onnx')) satisfies object;
export { readImage };
`;

const IN_NODE = `
import { createDetector, readImage } from 'scrfd-webgpu';
await (await createDetector('m.onnx')).detect(await readImage('a.png'));
`;

interface Case {
  readonly compiler: 'typescript' | 'older-typescript';
  readonly moduleResolution: 'bundler' | 'nodenext';
  readonly lib: readonly string[];
  readonly types: readonly string[];
}

const CASES: readonly Case[] = (['typescript', 'older-typescript'] as const).flatMap((compiler): Case[] => [
  { compiler, moduleResolution: 'nodenext', lib: [], types: [] },
  { compiler, moduleResolution: 'nodenext', lib: [], types: ['node'] },
  { compiler, moduleResolution: 'bundler', lib: ['DOM'], types: [] },
  { compiler, moduleResolution: 'bundler', lib: ['DOM'], types: ['@webgpu/types'] },
]);

describe('the types of the packed package', { timeout: 120_000 }, () => {
  beforeAll(() => installPacked(folder, ['@webgpu', '@types', 'undici-types']), 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What the compiler has to say of a program. */
  async function compile(source: string, { compiler, moduleResolution, lib, types }: Case): Promise<string> {
    const project = mkdtempSync(join(folder, 'project-'));
    writeFileSync(join(project, 'use.ts'), source);
    const compilerOptions = {
      ...{ moduleResolution, module: moduleResolution === 'bundler' ? 'esnext' : 'nodenext', target: 'es2022' },
      ...{ strict: true, noEmit: true, lib: ['ES2023', 'ESNext.Disposable', ...lib], types },
      // @webgpu/types has faults of its own
      skipLibCheck: types.includes('@webgpu/types'),
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['use.ts'] }));
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc');
    const result = promisify(execFile)(process.execPath, [tsc, '-p', project]);
    return (await result.catch((error: { stdout: string }) => error)).stdout;
  }

  test.each(CASES)('$compiler, $moduleResolution, libraries $lib, types $types', async (each) => {
    expect(await compile(USE, each)).toBe('');
  });

  test.each(['typescript', 'older-typescript'] as const)('%s: a page has no readImage, Node has', async (compiler) => {
    const known = { compiler, lib: ['DOM'], types: [] } as const;
    expect(await compile(IN_PAGES, { ...known, moduleResolution: 'bundler' })).toBe('');
    expect(await compile(IN_NODE, { ...known, moduleResolution: 'nodenext' })).toBe('');
  });
});
