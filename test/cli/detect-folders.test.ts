import { execFile } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectPictures, parseShard, type Shard, shardList } from '../../src/cli/shared/inputs.ts';
import { mapConcurrent } from '../../src/cli/shared/map-concurrent.ts';
import { createDetector, type Face, readImage } from '../../src/index.node.ts';
import { dataDir, imageNamed, modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { schemaErrors } from '../support/output-schema.ts';
import { errorLines } from './run-cli.ts';
import { runHere } from './run-here.ts';

interface Line {
  readonly image: string;
  readonly width: number;
  readonly faces: readonly Face[];
}

const folder = mkdtempSync(join(tmpdir(), 'scrfd-folders-'));
afterAll(() => rmSync(folder, { recursive: true }));

function readLines(path: string): Line[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Line);
}

describe('collectPictures', () => {
  const at = (name: string) => join(folder, 'tree', name);
  beforeAll(() => {
    mkdirSync(at('deep/er'), { recursive: true });
    for (const name of ['b.jpg', 'a.PNG', 'notes.txt', 'deep/c.webp', 'deep/er/d.tiff']) writeFileSync(at(name), '');
  });

  test('folders by name, deeply; patterns; files and URLs as they come; each once', async () => {
    const all = ['a.PNG', 'b.jpg', 'deep/c.webp', 'deep/er/d.tiff'].map(at);
    expect(await collectPictures([join(folder, 'tree')])).toEqual(all);
    expect(await collectPictures([at('*.jpg'), join(folder, 'tree')])).toEqual([all[1], all[0], all[2], all[3]]);
    expect(await collectPictures([at('**/*.{webp,tiff}')])).toEqual(all.slice(2));
    expect(await collectPictures(['https://example.org/x.jpg', at('notes.txt'), 'absent.jpg'])).toEqual([
      ...['https://example.org/x.jpg', at('notes.txt'), 'absent.jpg'],
    ]);
  });

  test('shards are disjoint, together everything, and the same however the list came', async () => {
    const everything = await collectPictures([join(folder, 'tree')]);
    const shardOf = async (inputs: string[], shard: Shard) => {
      const pictures = await collectPictures(inputs);
      const isMine = shardList(pictures, shard);
      return pictures.filter((_, i) => isMine(i));
    };
    const shards = await Promise.all(
      [0, 1, 2].map((index) => shardOf([at('deep'), at('*.*g'), at('a.PNG')], { index, count: 3 })),
    );
    expect(shards.flat().sort()).toEqual(everything);
    expect(new Set(shards.map(({ length }) => length))).toEqual(new Set([1, 2]));
    expect(await shardOf([join(folder, 'tree')], { index: 1, count: 3 })).toEqual(shards[1]);
    expect(parseShard('2/5')).toEqual({ index: 2, count: 5 });
    for (const bad of ['5/5', '-1/2', '1', 'a/b', '0/0']) expect(() => parseShard(bad)).toThrow('Expected i/n');
  });

  test('a folder or pattern without pictures is said', async () => {
    mkdirSync(at('empty'), { recursive: true });
    await expect(collectPictures([at('empty')])).rejects.toThrow('expected a folder with pictures, it has none');
    await expect(collectPictures([at('*.gif')])).rejects.toThrow('it matches none');
  });
});

describe('mapConcurrent', () => {
  test('keeps the order, the limit, and failures apart', async () => {
    let running = 0;
    let most = 0;
    const outcomes = [];
    const task = async (item: number) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, (7 - item) % 4));
      running--;
      if (item === 3) throw new Error('three');
      return item * item;
    };
    for await (const outcome of mapConcurrent([1, 2, 3, 4, 5, 6], 3, task)) outcomes.push(outcome);
    expect(outcomes.map(({ item }) => item)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(outcomes.map(({ result }) => result)).toEqual([1, 4, undefined, 16, 25, 36]);
    expect(outcomes[2]).toMatchObject({ error: new Error('three') });
    expect(most).toBe(3);
  });
});

test('mapConcurrent yields what is done before it asks for more', async () => {
  // as pictures do, which are decoded as there is room for them
  let consumed = 0;
  const items = [1, 2, 3];
  for await (const { item } of mapConcurrent(items, 3, async (each) => {
    while (consumed < each - 1) await new Promise((resolve) => setTimeout(resolve, 1));
  })) {
    consumed++;
    expect(item).toBe(consumed);
  }
  expect(consumed).toBe(3);
});

withData('scrfd detect', () => {
  const options = () => ['--model', modelNamed('scrfd_500m_kps.onnx'), '--size', '160'];

  test('formats, crops, stdin', { timeout: 60_000 }, async () => {
    const pictures = join(folder, 'few');
    mkdirSync(pictures);
    copyFileSync(imageNamed('astronaut_nasa.png'), join(pictures, 'a, "b".png'));
    copyFileSync(imageNamed('noface_coffee.png'), join(pictures, 'coffee.png'));
    const crops = join(folder, 'crops');
    const csv = await runHere(['detect', pictures, ...options(), '--format', 'csv', '--crops', crops]);
    expect(csv.code).toBe(0);
    const rows = csv.stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/^image,width,height,face,score,x1,y1,x2,y2,kx1,ky1,.*,ky5$/);
    expect(rows[1]).toMatch(/^".*a, ""b""\.png",512,512,1,0\.\d+,/);
    expect(rows[1]!.split('",')[1]!.split(',')).toHaveLength(18);
    expect(readdirSync(crops)).toEqual(['a, "b"-1.png']);
    expect(await sharp(join(crops, 'a, "b"-1.png')).metadata()).toMatchObject({ width: 112, height: 112, channels: 3 });

    const root = fileURLToPath(new URL('../..', import.meta.url));
    const receive = (input: string | Buffer, ...more: string[]) =>
      new Promise<{ lines: Line[]; stderr: string }>((resolve, reject) => {
        const args = ['--import', 'tsx', 'src/cli/main.ts', 'detect', '-', ...options(), '--format', 'ndjson', ...more];
        const child = execFile(process.execPath, args, { cwd: root }, (error, stdout, stderr) => {
          if (error) reject(error);
          const lines = stdout.trimEnd().split('\n');
          resolve({ lines: lines.map((line) => JSON.parse(line) as Line), stderr });
        });
        child.stdin!.end(input);
      });
    const list = await receive(`${imageNamed('astronaut_nasa.png')}\r\n\n${imageNamed('noface_coffee.png')}`);
    expect(list.lines.map(({ faces }) => faces.length)).toEqual([1, 0]);

    const out = join(folder, 'received');
    const drawing = ['--out', out, '--no-labels', '--colour', '#0000ff', '--thickness', '7', '--verbose'];
    const { lines, stderr } = await receive(readFileSync(imageNamed('astronaut_nasa.png')), ...drawing);
    expect(lines).toEqual([{ ...list.lines[0], image: '-' }]);
    expect(schemaErrors('picture', lines[0])).toEqual([]);
    expect(errorLines(stderr)).toEqual([
      expect.stringMatching(
        /^scrfd: standard input: decoded in [\d.]+ ms, searched in [\d.]+ ms, written in [\d.]+ ms$/,
      ),
    ]);
    expect(readdirSync(out)).toEqual(['standard-input.png']);
    const drawn = await readImage(join(out, 'standard-input.png'));
    const [x1, , , y2] = lines[0]!.faces[0]!.box.map(Math.round) as [number, number, number, number];
    const at = (x: number, y: number) => [...drawn.data.subarray((y * 512 + x) * 3, (y * 512 + x) * 3 + 3)];
    for (const dx of [-1, 0, 1]) expect(at(x1 + dx, y2 - 30)).toEqual([0, 0, 255]);
  });

  test('goes on where it was interrupted, by whole lines', { timeout: 60_000 }, async () => {
    const pictures = ['astronaut_nasa.png', 'hopper.png', 'insightface_t1.jpg'].map(imageNamed);
    const file = join(folder, 'resumed.ndjson');
    const base = ['detect', ...pictures, ...options(), '--format', 'ndjson', '--output', file];
    expect(await runHere(base)).toMatchObject({ code: 0, stdout: '' });
    const whole = readFileSync(file, 'utf8');
    const lines = whole.split('\n');
    writeFileSync(file, `${lines[0]}\n${lines[1]!.slice(0, 20)}`);
    expect(await runHere([...base, '--resume'])).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toBe(whole);
    appendFileSync(file, '{"no": "result"}\n');
    const { code, stderr } = await runHere([...base, '--resume']);
    expect(code).toBe(1);
    expect(stderr).toContain('expected a result in line 4');
    expect(await runHere(['detect', 'a.jpg', ...options(), '--resume'])).toMatchObject({ code: 2 });
    // no file of ours, and nothing at its end to tell
    const foreign = '{"minified":"of another program, no newline at its end"}';
    writeFileSync(file, foreign);
    expect((await runHere([...base, '--resume'])).stderr).toContain(
      'expected a result in line 1; is this another file?',
    );
    expect(readFileSync(file, 'utf8')).toBe(foreign);
  });

  test('shards with one --out do not write over each other', async () => {
    const out = join(folder, 'sharded');
    for (const name of ['x', 'y']) {
      mkdirSync(join(folder, 'equal', name), { recursive: true });
      copyFileSync(imageNamed('hopper.png'), join(folder, 'equal', name, 'hopper.png'));
    }
    for (const shard of ['0/2', '1/2']) {
      const args = ['detect', join(folder, 'equal'), ...options(), '--shard', shard, '--out', out, '--crops', out];
      expect((await runHere(args)).code).toBe(0);
    }
    expect(readdirSync(out).sort()).toEqual(['hopper-2-1.png', 'hopper-2.png', 'hopper-3-1.png', 'hopper.png']);
  });

  test('limits of what is read', async () => {
    const pictures = ['hopper.png', 'astronaut_nasa.png'].map(imageNamed);
    const args = ['detect', ...pictures, ...options(), '--format', 'ndjson'];
    const limits = {
      '--max-pixels': 'expected at most 100000 pixels (maxPixels), got PNG of 512×512',
      '--max-bytes': 'expected at most 100000 bytes (maxBytes), got ',
    };
    const outcomes = await Promise.all(Object.keys(limits).map((limit) => runHere([...args, limit, '100000'])));
    for (const [i, message] of Object.values(limits).entries()) {
      const { code, stdout, stderr } = outcomes[i]!;
      expect(code).toBe(1);
      expect(stdout.trimEnd().split('\n')).toHaveLength(1);
      expect(errorLines(stderr)).toEqual([expect.stringContaining(`astronaut_nasa.png: ${message}`)]);
    }
  });

  test('no picture is written over by --output', async () => {
    const picture = join(folder, 'own.png');
    copyFileSync(imageNamed('hopper.png'), picture);
    const { code, stderr } = await runHere(['detect', picture, ...options(), '--json', '--output', picture]);
    expect(code).toBe(2);
    expect(stderr).toContain('--output: expected another file than');
    expect(readFileSync(picture)).toEqual(readFileSync(imageNamed('hopper.png')));
  });

  test('a picture that cannot be written has no result, so that --resume tries it again', async () => {
    const out = join(folder, 'unwritable');
    mkdirSync(join(out, 'hopper.png'), { recursive: true });
    const file = join(folder, 'tried.ndjson');
    const args = [
      'detect',
      imageNamed('hopper.png'),
      ...options(),
      '--format',
      'ndjson',
      '--output',
      file,
      '--out',
      out,
    ];
    expect((await runHere(args)).code).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('');
    rmSync(join(out, 'hopper.png'), { recursive: true });
    expect((await runHere([...args, '--resume'])).code).toBe(0);
    expect(readLines(file)).toHaveLength(1);
    expect(readdirSync(out)).toEqual(['hopper.png']);
  });

  test('323 pictures and four that are none', { timeout: 300_000 }, async () => {
    const pictures = join(folder, 'many');
    mkdirSync(pictures);
    const source = join(dataDir!, 'widerface/images');
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.jpg'));
    expect(files).toHaveLength(323);
    for (const file of files) symlinkSync(join(source, file), join(pictures, file.replaceAll('/', '-')));
    writeFileSync(join(pictures, 'corrupt.jpg'), readFileSync(join(source, files[0]!)).subarray(0, 2000));
    writeFileSync(join(pictures, 'empty.png'), '');
    writeFileSync(join(pictures, 'text.jpg'), 'this is no picture');
    await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).toFile(join(pictures, 'dot.png'));
    const file = join(folder, 'many.ndjson');
    const args = ['detect', pictures, ...options(), '--format', 'ndjson', '--output', file];
    const { code, stderr } = await runHere(args);
    expect(code).toBe(1);
    const said = errorLines(stderr);
    expect(said.slice(0, -1).sort()).toEqual([
      expect.stringMatching(/corrupt\.jpg: JPEG is damaged or cut short/),
      expect.stringMatching(/dot\.png: expected at least 2×2 pixels, got 1×1/),
      expect.stringMatching(/empty\.png: expected a picture, got 0 bytes/),
      expect.stringMatching(/text\.jpg: expected a JPEG, .* got text/),
    ]);
    expect(said.at(-1)).toBe('scrfd: 327 pictures, 4 failed');
    const lines = readLines(file);
    expect(lines).toHaveLength(323);
    expect(lines.map(({ image }) => image)).toEqual(lines.map(({ image }) => image).sort());
    const { device } = await openGpu();
    const model = modelNamed('scrfd_500m_kps.onnx');
    await using detector = await createDetector(model, { device, inputSize: [160, 160] });
    for (let i = 0; i < lines.length; i += 8) {
      const { image, width, faces } = lines[i]!;
      const pixels = await readImage(image);
      expect(pixels.width).toBe(width);
      expect(faces, image).toEqual(JSON.parse(JSON.stringify(await detector.detect(pixels))));
    }
    expect(lines.reduce((sum, { faces }) => sum + faces.length, 0)).toBeGreaterThan(250);
  });
});
