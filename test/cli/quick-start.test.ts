import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorLines, runCli } from './run-cli.ts';

type Box = readonly [number, number, number, number];

const picture = 'assets/astronaut.png';
/** Of the face in it, by eye. */
const FACE: Box = [180, 60, 271, 179];

let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-quick-start-'));
  env = { HOME: folder, SCRFD_HOME: join(folder, 'scrfd'), SCRFD_OFFLINE: '1' };
});
afterAll(() => rm(folder, { recursive: true }));

function overlap(a: Box, b: Box): number {
  const area = ([x1, y1, x2, y2]: Box) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return both / (area(a) + area(b) - both);
}

test('the picture is the one that assets/README.md speaks of', async () => {
  const hash = createHash('sha256')
    .update(await readFile(picture))
    .digest('hex');
  expect(await readFile('assets/README.md', 'utf8')).toContain(hash);
});

test('the README has the command, and the command the set-up', async () => {
  expect(await readFile('README.md', 'utf8')).toMatch(/```sh\nscripts\/quick-start\.sh/);
  expect(await readFile('scripts/quick-start.sh', 'utf8')).toContain(`set -- ${picture} --out`);
});

// An empty home has no compiled shaders either.
test('an empty home: RetinaFace finds the face and says that it stands in', { timeout: 120_000 }, async () => {
  const out = join(folder, 'out');
  const { code, stdout, stderr } = await runCli(['detect', picture, '--out', out], env);
  expect(code).toBe(0);
  expect(errorLines(stderr)).toEqual([expect.stringMatching(/^scrfd: using retinaface_mnet025, a simpler detector/)]);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toBe(`${picture}  512×512  1 face`);
  const path = /^written to (.*)$/.exec(lines.at(-1)!)?.[1];
  expect(path?.endsWith(join('out', 'astronaut.png'))).toBe(true);
  const { width, height } = await sharp(await readFile(path!)).metadata();
  expect([width, height]).toEqual([512, 512]);
});

test('--json: exactly one face, its box and keypoints right', { timeout: 120_000 }, async () => {
  const { code, stdout } = await runCli(['detect', picture, '--json', '--out', join(folder, 'json')], env);
  expect(code).toBe(0);
  const [entry, ...rest] = JSON.parse(stdout) as { faces: { box: Box; keypoints: [number, number][] }[] }[];
  expect([rest.length, entry!.faces.length]).toEqual([0, 1]);
  const [{ box, keypoints }] = entry!.faces as [{ box: Box; keypoints: [number, number][] }];
  expect(overlap(box, FACE)).toBeGreaterThan(0.5);
  expect(keypoints).toHaveLength(5);
  for (const [x, y] of keypoints) expect(x > FACE[0] && x < FACE[2] && y > FACE[1] && y < FACE[3]).toBe(true);
});
