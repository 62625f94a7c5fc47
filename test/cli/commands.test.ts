import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { dataDir } from '../support/data.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { schemaErrors } from '../support/output-schema.ts';
import { errorLines, hasSwiftShader, onSwiftShader, runCli } from './run-cli.ts';
import { runHere } from './run-here.ts';

interface Entry {
  image: string;
  width: number;
  height: number;
  faces: { box: number[]; score: number; keypoints?: number[][] }[];
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

const model = (name: string) => join(dataDir!, 'models', `${name}.onnx`);
const image = (name: string) => join(dataDir!, 'images', name);

describe('errors are one line and exit code 1', () => {
  test('an absent model', async () => {
    const path = join(folder, 'absent.onnx');
    const { code, stdout, stderr } = await runHere(['detect', 'a.jpg', '--model', path]);
    expect([code, stdout]).toEqual([1, '']);
    expect(errorLines(stderr)).toEqual([`scrfd: ${path}: no such file`]);
    expect(stderr).not.toContain('    at ');
  });

  test('what is no model, and a model of something else', async () => {
    const other = join(folder, 'other.onnx');
    await writeFile(
      other,
      buildModel({
        inputs: [{ name: 'x', dims: [1, 3, null, null] }],
        outputs: ['y'],
        nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
      }),
    );
    for (const [path, error] of [
      ['README.md', /^scrfd: README\.md: not a readable ONNX file of \d+ bytes: /],
      [other, /^scrfd: \S*other\.onnx: model is not an SCRFD detector: .* the scores, got "y" 1×3×640×640$/],
    ] as const) {
      const { code, stderr } = await runHere(['detect', 'a.jpg', '--model', path]);
      expect(code).toBe(1);
      expect(errorLines(stderr)).toEqual([expect.stringMatching(error)]);
    }
  });

  test('SCRFD_DEBUG adds the stack', async () => {
    const { stderr } = await runHere(['detect', 'a.jpg', '--model', join(folder, 'absent.onnx')], { SCRFD_DEBUG: '1' });
    expect(stderr).toMatch(/^ModelError: .*\n {4}at /m);
  });

  test.skipIf(!hasSwiftShader)('half floats on an adapter without them', async () => {
    const path = join(folder, 'model.onnx');
    await writeFile(path, synthesizeModel(ARCHITECTURES.scrfd_500m));
    const args = ['detect', 'a.jpg', '--model', path, '--size', '64', '--precision', 'f16'];
    const { code, stdout, stderr } = await runCli(args, onSwiftShader);
    expect([code, stdout]).toEqual([1, '']);
    expect(errorLines(stderr)).toEqual([
      "scrfd: precision 'f16' needs the feature shader-f16, which this GPU device does not have",
    ]);
  });

  test('crops by a model without keypoints', async () => {
    const path = join(folder, 'no-keypoints.onnx');
    await writeFile(path, synthesizeModel(ARCHITECTURES.scrfd_500m));
    const args = ['detect', 'assets/astronaut.png', '--model', path, '--size', '64', '--crops', join(folder, 'crops')];
    const { code, stdout, stderr } = await runHere(args);
    expect([code, stdout]).toEqual([1, '']);
    expect(errorLines(stderr)).toEqual([
      `scrfd: ${path}: --crops needs five keypoints, which this model does not find; see scrfd models list`,
    ]);
  });

  test('--out names a file', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    const { code, stderr } = await runHere(['detect', 'a.jpg', '--model', 'm.onnx', '--out', path]);
    expect(code).toBe(1);
    expect(errorLines(stderr)).toEqual([expect.stringContaining('file: expected a folder to write to')]);
  });
});

// The first run of a model compiles its shaders.
describe.skipIf(!dataDir)('with models', { timeout: 120_000 }, () => {
  const small = ['--size', '320'];

  test('detect prints a table per picture', async () => {
    const pictures = [image('astronaut_nasa.png'), image('noface_coffee.png')];
    const { code, stdout } = await runCli(['detect', ...pictures, '-m', model('scrfd_500m_kps'), ...small]);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe(`${pictures[0]}  512×512  1 face`);
    expect(lines[1]).toMatch(/# +score +x1 +y1 +x2 +y2 +keypoints/);
    expect(lines[2]).toMatch(/^ +1 +0\.\d{3}( +\d+\.\d){4} +5$/);
    expect(lines[3]).toBe(`${pictures[1]}  600×400  0 faces`);
  });

  test('detect --json prints one array, keypoints only from models that have them', async () => {
    for (const [name, keypoints] of [['scrfd_500m_kps', 5] as const, ['scrfd_500m', undefined] as const]) {
      const { code, stdout } = await runHere([
        'detect',
        image('astronaut_nasa.png'),
        '-m',
        model(name),
        ...small,
        '--json',
      ]);
      expect(code).toBe(0);
      const [entry, ...rest] = JSON.parse(stdout) as Entry[];
      expect(schemaErrors('pictures', JSON.parse(stdout))).toEqual([]);
      expect(rest).toEqual([]);
      expect(entry).toMatchObject({ image: image('astronaut_nasa.png'), width: 512, height: 512 });
      expect(entry!.faces).toHaveLength(1);
      const [face] = entry!.faces;
      const [x1, y1, x2, y2] = face!.box as [number, number, number, number];
      expect(x1 > 150 && x2 < 300 && y1 > 30 && y2 < 220 && x1 < x2 && y1 < y2).toBe(true);
      expect(face!.score).toBeGreaterThan(0.5);
      expect(face!.keypoints?.length).toBe(keypoints);
    }
  });

  test('a bad picture among good ones is reported, the others are there', async () => {
    const text = join(folder, 'text.jpg');
    await writeFile(text, 'no picture');
    const pictures = [image('hopper.jpg'), text, join(folder, 'absent.jpg'), image('astronaut_nasa.png')];
    const { code, stdout, stderr } = await runHere([
      ...['detect', ...pictures, '-m', model('scrfd_500m_kps'), ...small, '--json'],
    ]);
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as Entry[]).map((entry) => entry.image)).toEqual([pictures[0], pictures[3]]);
    expect(errorLines(stderr)).toEqual([
      expect.stringMatching(/text\.jpg: expected a JPEG.*got text/),
      expect.stringMatching(/absent\.jpg: no such file/),
    ]);
  });

  test('thresholds and --max-faces reach the detector', async () => {
    const crowd = ['detect', image('insightface_t1.jpg'), '-m', model('scrfd_500m_kps'), '--json'];
    const facesOf = async (...options: string[]) => {
      const [entry] = JSON.parse((await runHere([...crowd, ...options])).stdout) as Entry[];
      return entry!.faces;
    };
    const all = await facesOf();
    expect(all.length).toBeGreaterThan(3);
    expect(await facesOf('--max-faces', '2')).toHaveLength(2);
    const strong = await facesOf('--score', '0.75');
    expect(strong).toEqual(all.filter(({ score }) => score >= 0.75));
  });

  test('--out writes every picture under its own name, and none over another', async () => {
    const [here, there, out] = ['here', 'there', 'new/out'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const source of [here, there]) {
      await mkdir(source);
      await copyFile(image('hopper.jpg'), join(source, 'hopper.jpg'));
    }
    const pictures = [join(here, 'hopper.jpg'), join(there, 'hopper.jpg'), image('hopper.gif'), image('hopper.png')];
    const options = ['-m', model('scrfd_500m_kps'), ...small, '--out'];
    expect(await runHere(['detect', ...pictures, ...options, out])).toMatchObject({ code: 0 });
    expect((await readdir(out)).sort()).toEqual(['hopper-2.jpg', 'hopper-2.png', 'hopper.jpg', 'hopper.png']);
    const { width, height } = await sharp(await readFile(join(out, 'hopper-2.png'))).metadata();
    expect([width, height]).toEqual([128, 128]);

    expect(await runHere(['detect', join(here, 'hopper.jpg'), ...options, here])).toMatchObject({ code: 0 });
    expect((await readdir(here)).sort()).toEqual(['hopper-2.jpg', 'hopper.jpg']);
    expect(await readFile(join(here, 'hopper.jpg'))).toEqual(await readFile(image('hopper.jpg')));
  });
});
