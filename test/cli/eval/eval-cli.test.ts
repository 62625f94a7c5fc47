import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findArchitecture } from '../../../src/architectures/published.ts';
import { synthesizeModel } from '../../../src/architectures/synthesize.ts';
import type { Run } from '../../../src/cli/eval/run-log.ts';
import { buildMat, type MatValue } from '../../support/mat-builder.ts';
import { createRng } from '../../support/rng.ts';
import { errorLines } from '../run-cli.ts';
import { runHere } from '../run-here.ts';

interface Report {
  dataset: { annotations: string; images: number; imagesInSet: number; unreadable: string[]; complete: boolean };
  settings: { protocol: string; mode: string; scoreThreshold: number; iouThreshold: number; model: string };
  runs: Run[];
  results: {
    setting: string;
    averagePrecision: number | null;
    faces: number;
    precision: (number | null)[];
    recall: number[];
  }[];
}

/** Events and names; the last has no picture. */
const IMAGES = ['0--Parade/a', '0--Parade/b', '1--Handshaking/c', '1--Handshaking/d'] as const;

let folder: string;
let data: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-eval-'));
  data = join(folder, 'data');
  model = join(folder, 'model.onnx');
  await writeFile(model, synthesizeModel(findArchitecture('500m')));
  const rng = createRng(1);
  for (const image of IMAGES.slice(0, 3)) {
    const path = join(data, 'images', `${image}.jpg`);
    await mkdir(join(path, '..'), { recursive: true });
    await sharp(rng.bytes(96 * 64 * 3), { raw: { width: 96, height: 64, channels: 3 } }).toFile(path);
  }
  await writeFile(
    join(data, 'labelv2.txt'),
    IMAGES.map((image) => `# ${image}.jpg 96 64\n10 10 40 40\n50 20 80 50\n`).join(''),
  );
});
afterAll(() => rm(folder, { recursive: true }));

const evaluate = (...args: string[]) => runHere(['eval', 'widerface', '--data', data, ...args]);
const detect = (...args: string[]) => evaluate('--model', model, '--mode', '64', ...args);
const readReport = async (out: string) => JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
const parts = (out: string, image: string) => join(out, 'predictions', `${image}.txt`);

describe('a run', { timeout: 120_000 }, () => {
  let out: string;
  beforeAll(() => {
    out = join(folder, 'out');
  });

  test('of the first image writes its predictions, a report and a plot', async () => {
    const { code, stdout } = await detect('--out', out, '--limit', '1');
    expect(code).toBe(0);
    expect(stdout).toContain('WIDER FACE validation: 1 of 4 images\nSUBSET ONLY');
    expect(stdout).toContain('labelv2.txt does not say how hard a face is');
    expect(stdout).toMatch(/^all +2 +\d+\.\d\d$/m);
    expect(await readdir(out)).toEqual([
      ...['precision-recall.svg', 'predictions', 'report.json', 'runs.json', 'settings.json'],
    ]);
    expect(await readFile(join(out, 'precision-recall.svg'), 'utf8')).toContain('>model.onnx, mmdet, 64x64<');
    expect(await readFile(parts(out, IMAGES[0]), 'utf8')).toMatch(/^0--Parade\/a\.jpg\n\d+\n/);
    const { dataset, settings, runs, results } = await readReport(out);
    expect(dataset).toMatchObject({ annotations: 'labelv2', images: 1, imagesInSet: 4, complete: false });
    expect(settings).toMatchObject({ protocol: 'mmdet', mode: '64x64', scoreThreshold: 0.02, iouThreshold: 0.45 });
    expect(runs).toEqual([
      { images: 1, seconds: expect.any(Number), adapter: expect.objectContaining({ vendor: expect.any(String) }) },
    ]);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ setting: 'all', faces: 2, averagePrecision: expect.any(Number) });
    expect([results[0]!.precision.length, results[0]!.recall.length]).toEqual([1000, 1000]);
  });

  let figures: string | undefined;
  const figuresOf = (text: string) => text.match(/^all .*$/m)?.[0];

  test('goes on where another stopped', async () => {
    const [first] = (await readReport(out)).runs;
    const before = await stat(parts(out, IMAGES[0]));
    const { code, stderr, stdout } = await detect('--out', out);
    expect(code).toBe(0);
    expect(errorLines(stderr)[0]).toBe('scrfd: 1 of 3 images are done already');
    expect(stdout).toContain('3 of 4 images');
    expect((await stat(parts(out, IMAGES[0]))).mtimeMs).toBe(before.mtimeMs);
    figures = figuresOf(stdout);
    expect((await readReport(out)).runs).toEqual([first, { ...first, images: 2, seconds: expect.any(Number) }]);
    const whole = join(folder, 'whole');
    await detect('--out', whole);
    expect((await readReport(whole)).results).toEqual((await readReport(out)).results);
    for (const image of IMAGES.slice(0, 3)) {
      expect(await readFile(parts(whole, image), 'utf8')).toBe(await readFile(parts(out, image), 'utf8'));
    }
  });

  test('opens no device when all is done', async () => {
    const { runs } = await readReport(out);
    const { code, stderr } = await detect('--out', out);
    expect([code, errorLines(stderr)]).toEqual([0, ['scrfd: 3 of 3 images are done already']]);
    expect((await readReport(out)).runs).toEqual(runs);
  });

  test('with other settings is refused', async () => {
    const { code, stderr } = await detect('--out', out, '--protocol', 'insightface');
    expect(code).toBe(1);
    expect(errorLines(stderr)).toEqual([
      `scrfd: ${out}: its predictions were made with protocol mmdet instead of insightface, iouThreshold 0.45 instead of 0.4; choose another folder or delete this one`,
    ]);
  });

  test('over predictions of unknown settings is refused', async () => {
    const unknown = join(folder, 'unknown');
    await mkdir(join(unknown, 'predictions/0--Parade'), { recursive: true });
    await writeFile(parts(unknown, IMAGES[0]), '0--Parade/a.jpg\n0\n');
    const { code, stderr } = await detect('--out', unknown);
    expect([code, errorLines(stderr)[0]]).toEqual([1, expect.stringContaining('predictions of unknown settings')]);
  });

  test('without --out prints the same figures', async () => {
    expect(figuresOf((await detect()).stdout)).toBe(figures);
  });

  test('in the original size, as insightface does it', async () => {
    const original = join(folder, 'original');
    const args = ['--model', model, '--mode', 'original', '--protocol', 'insightface', '--out', original];
    const { code } = await evaluate(...args);
    expect(code).toBe(0);
    expect((await readReport(original)).settings).toMatchObject({ protocol: 'insightface', mode: 'original' });
  });

  test('--predictions evaluates what a run wrote', async () => {
    const again = join(folder, 'again');
    const { code, stdout } = await evaluate('--predictions', join(out, 'predictions'), '--out', again);
    expect(code).toBe(0);
    expect(stdout).toContain('3 of 4 images');
    expect((await readReport(again)).results).toEqual((await readReport(out)).results);
  });

  test('a picture that cannot be read counts as one without faces, is named, and tried again', async () => {
    const broken = join(folder, 'broken');
    const path = join(data, 'images', `${IMAGES[1]}.jpg`);
    const bytes = await readFile(path);
    await writeFile(path, 'no picture');
    try {
      const { code, stdout, stderr } = await detect('--out', broken);
      expect(code).toBe(1);
      expect(errorLines(stderr)).toEqual([
        expect.stringContaining(`${path}: expected a JPEG`),
        expect.stringMatching(/^scrfd: 3 images in /),
      ]);
      expect(stdout).toContain('1 of them could not be read: they count as images without detections');
      expect(stdout).toMatch(/^all +6 +\d+\.\d\d$/m);
      expect((await readReport(broken)).dataset).toMatchObject({ images: 3, unreadable: [IMAGES[1]], complete: false });
    } finally {
      await writeFile(path, bytes);
    }
    const again = await detect('--out', broken);
    expect([again.code, errorLines(again.stderr)[0]]).toEqual([0, 'scrfd: 2 of 3 images are done already']);
    expect((await readReport(broken)).dataset.unreadable).toEqual([]);
  });

  test('SIGTERM ends it with what to do, and with what it has taken so far', async () => {
    const many = join(folder, 'many');
    const stopped = join(folder, 'stopped');
    const event = join(many, 'images/0--Parade');
    await mkdir(event, { recursive: true });
    const names = Array.from({ length: 500 }, (_, i) => `${i}`);
    for (const name of names) await symlink(join(data, 'images', `${IMAGES[0]}.jpg`), join(event, `${name}.jpg`));
    await writeFile(
      join(many, 'labelv2.txt'),
      names.map((name) => `# 0--Parade/${name}.jpg 96 64\n10 10 40 40\n`).join(''),
    );
    const args = ['eval', 'widerface', '--data', many, '--model', model, '--mode', '64', '--out', stopped];
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = Promise.all([text(child.stderr), once(child, 'exit')]);
    await vi.waitUntil(() => existsSync(parts(stopped, '0--Parade/2')), { timeout: 60_000, interval: 10 });
    child.kill('SIGTERM');
    const [stderr, [code]] = await ended;
    expect([code, errorLines(stderr)]).toEqual([
      143,
      ['scrfd: interrupted; the same command goes on where it stopped'],
    ]);
    const [run] = JSON.parse(await readFile(join(stopped, 'runs.json'), 'utf8')) as [Run];
    expect(run.images).toBe((await readdir(join(stopped, 'predictions/0--Parade'))).length);
  });
});

describe('prediction files and annotations', () => {
  const perfect = (image: string) => `${image}.jpg\n2\n10 10 30 30 0.9\n50 20 30 30 0.8\n`;
  let predictions: string;
  beforeAll(async () => {
    predictions = join(folder, 'perfect');
    for (const image of IMAGES) {
      await mkdir(join(predictions, image, '..'), { recursive: true });
      await writeFile(join(predictions, `${image}.txt`), perfect(image));
    }
  });

  test('of all images need no pictures and are no subset', async () => {
    const { code, stdout } = await evaluate('--predictions', predictions);
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        'WIDER FACE validation: all 4 images',
        'labelv2.txt does not say how hard a face is: every face counts, unlike in the official settings',
        'setting     faces      AP',
        'all             8  100.00\n',
      ].join('\n'),
    );
    expect((await evaluate('--predictions', predictions, '--limit', '2')).stdout).toMatch(/^all +4 +100\.00$/m);
  });

  test('official files beside them give three settings', async () => {
    const official = join(folder, 'official');
    await mkdir(join(official, 'eval_tools/ground_truth'), { recursive: true });
    // the second face of each is not easy, and no face is medium
    const event = (value: MatValue): MatValue => ({ cells: [value, value] });
    const faces = event({ cells: Array(2).fill({ dims: [2, 4], numbers: [10, 50, 10, 20, 30, 30, 30, 30] }) });
    const list = (kept: number[]) =>
      buildMat({ gt_list: event({ cells: Array(2).fill({ dims: [kept.length, 1], numbers: kept }) }) });
    const names = (...each: string[]): MatValue => ({ cells: each.map((name) => ({ cells: [name] })) });
    const files = {
      face: buildMat({
        event_list: names('0--Parade', '1--Handshaking'),
        file_list: { cells: [names('a', 'b'), names('c', 'd')] },
        face_bbx_list: faces,
      }),
      easy: list([1]),
      medium: list([]),
      hard: list([1, 2]),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(official, `eval_tools/ground_truth/wider_${name}_val.mat`), bytes);
    }
    const { code, stdout } = await runHere(['eval', 'widerface', '-d', official, '--predictions', predictions]);
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(1, 5)).toEqual([
      'setting     faces      AP',
      'easy            4  100.00',
      'medium          0       –',
      'hard            8  100.00',
    ]);
    await rm(join(official, 'eval_tools/ground_truth/wider_easy_val.mat'));
    const { stderr } = await runHere(['eval', 'widerface', '-d', official, '--predictions', predictions]);
    expect(errorLines(stderr)).toEqual([expect.stringMatching(/expected wider_easy_val\.mat too$/)]);
  });

  test('that are damaged are named', async () => {
    const path = join(predictions, `${IMAGES[1]}.txt`);
    await writeFile(path, '0--Parade/b.jpg\n1\n10 10 30 0.9\n');
    const { code, stdout, stderr } = await evaluate('--predictions', predictions);
    await writeFile(path, perfect(IMAGES[1]));
    expect([code, stdout]).toEqual([1, '']);
    expect(errorLines(stderr)).toEqual([`scrfd: ${path}:3: expected 'x y width height score', got '10 10 30 0.9'`]);
  });

  test('that are not there are asked for', async () => {
    const { code, stderr } = await evaluate('--predictions', data);
    expect(code).toBe(1);
    expect(errorLines(stderr)).toEqual([`scrfd: ${data}: expected files such as 0--Parade/a.txt, got none`]);
  });

  test('a folder without annotations is refused', async () => {
    const { code, stderr } = await runHere(['eval', 'widerface', '-d', folder, '--predictions', predictions]);
    expect(code).toBe(1);
    expect(errorLines(stderr)).toEqual([
      `scrfd: ${folder}: expected ground_truth/wider_face_val.mat, eval_tools/ground_truth/wider_face_val.mat, gt/wider_face_val.mat or labelv2.txt`,
    ]);
  });

  test.each([
    ['neither a model nor predictions', [], /expected --model or --predictions/],
    ['both', ['--predictions', 'p', '--model', 'm'], /cannot be used with/],
    ['predictions and a protocol', ['--predictions', 'p', '--protocol', 'mmdet'], /cannot be used with/],
    ['an unknown protocol', ['--model', 'm', '--protocol', 'coco'], /Allowed choices are mmdet, insightface/],
    ['a bad mode', ['--model', 'm', '--mode', 'large'], /Expected original, WxH or one side/],
  ])('%s is wrong usage', async (_, args, message) => {
    const { code, stderr } = await evaluate(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
