import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ImageError } from '../../src/common/errors.ts';
import type { Face } from '../../src/common/face.ts';
import type { Pixels } from '../../src/common/image.ts';
import { type PaintOptions, paintFaces, writeAnnotated } from '../../src/node/draw.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-draw-'));
});
afterAll(() => rm(folder, { recursive: true }));

function grey(width: number, height: number, channels: 3 | 4 = 3): Pixels {
  return { data: new Uint8Array(width * height * channels).fill(128), width, height, channels };
}

const face: Face = {
  box: [40.5, 30.25, 80.5, 90.75],
  score: 0.875,
  keypoints: [
    [52, 55],
    [68, 55],
    [60, 65],
    [54, 75],
    [66, 75],
  ],
};

function isMarked({ data, width }: Pixels, x: number, y: number): boolean {
  return [0, 1, 2].some((c) => data[(y * width + x) * 3 + c] !== 128);
}

describe('paintFaces', () => {
  test('marks the box, the label and the keypoints, and nothing else', async () => {
    const drawn = await paintFaces(grey(128, 128), [face]);
    expect([drawn.width, drawn.height, drawn.channels, drawn.data.length]).toEqual([128, 128, 3, 128 * 128 * 3]);
    for (const [x, y] of [[40, 60], [80, 60], [60, 90], [42, 27], ...face.keypoints!] as const) {
      expect(isMarked(drawn, x, y)).toBe(true);
    }
    for (const [x, y] of [
      [10, 10],
      [60, 45],
      [60, 110],
      [100, 60],
    ] as const) {
      expect(isMarked(drawn, x, y)).toBe(false);
    }
  });

  test('pixels away from the marks keep their values', async () => {
    const data = Uint8Array.from({ length: 300 * 200 * 3 }, (_, i) => (i * 7919) % 256);
    const drawn = await paintFaces({ data, width: 300, height: 200, channels: 3 }, [face]);
    const below = 100 * 300 * 3;
    expect(drawn.data.subarray(below)).toEqual(data.subarray(below));
  });

  test('alpha is ignored, and the source is left alone', async () => {
    const source = grey(128, 128, 4);
    const drawn = await paintFaces(source, [face]);
    expect(drawn).toEqual(await paintFaces(grey(128, 128), [face]));
    expect(source).toEqual(grey(128, 128, 4));
  });

  test('lines scale with the picture', async () => {
    const marked = async (scale: number) => {
      const box = face.box.map((v) => v * scale) as unknown as Face['box'];
      const drawn = await paintFaces(grey(128 * scale, 128 * scale), [{ box, score: 0.5 }]);
      const row = Array.from({ length: 128 * scale }, (_, x) => isMarked(drawn, x, 60 * scale));
      return row.filter(Boolean).length;
    };
    expect(await marked(16)).toBeGreaterThan(3 * (await marked(1)));
  });

  test('labels, colours and thickness are options; a face in a track has its number', async () => {
    const paint = (options?: PaintOptions, more: object = {}) =>
      paintFaces(grey(128, 128), [{ ...face, ...more }], options);
    const at = ({ data }: Pixels, x: number, y: number) => [...data.subarray((y * 128 + x) * 3, (y * 128 + x) * 3 + 3)];
    expect(at(await paint(), 40, 60)).toEqual([0, 0xe6, 0x76]);
    const drawn = await paint({ labels: false, lineWidth: 9, colours: { box: '#00f', point: '#123456' } });
    expect(at(drawn, 42, 24)).toEqual([128, 128, 128]);
    expect(at(drawn, 60, 90)).toEqual([0, 0, 255]);
    expect(at(drawn, 52, 55)).toEqual([0x12, 0x34, 0x56]);
    const labelled = (picture: Pixels) => picture.data.subarray(0, 128 * 28 * 3);
    const [scored, seven, eight] = await Promise.all([paint(), paint({}, { track: 7 }), paint({}, { track: 8 })]);
    expect(labelled(seven)).not.toEqual(labelled(scored));
    expect(labelled(seven)).not.toEqual(labelled(eight));
    expect(labelled(await paint({}, { track: 7, score: 0.1 }))).toEqual(labelled(seven));
  });

  test.each<[string, object, ErrorConstructor]>([
    ['a colour that SVG would read otherwise', { colours: { box: '"/><script/>' } }, RangeError],
    ['a line of no width', { lineWidth: 0 }, RangeError],
    ['an option that there is not', { label: false }, TypeError],
  ])('%s is refused', async (_, options, Failure) => {
    await expect(paintFaces(grey(8, 8), [face], options)).rejects.toThrow(Failure);
  });

  test('boxes beyond the picture and tiny pictures are fine', async () => {
    await paintFaces(grey(20, 20), [{ box: [-50, -50, 500, 500], score: 0.999 }]);
    await paintFaces(grey(1, 1), [face]);
  });
});

describe('writeAnnotated', () => {
  test.each([
    ['a.png', 'png'],
    ['b.jpg', 'jpeg'],
    ['c.JPEG', 'jpeg'],
    ['d.webp', 'webp'],
  ])('%s is %s', async (name, format) => {
    const path = join(folder, name);
    await writeAnnotated(path, grey(64, 48), [face]);
    const { width, height, ...rest } = await sharp(await readFile(path)).metadata();
    expect([rest.format, width, height]).toEqual([format, 64, 48]);
  });

  test('replaces an earlier file and leaves no temporary one', async () => {
    const target = join(folder, 'again');
    await mkdir(target);
    for (const height of [20, 30]) await writeAnnotated(join(target, 'x.png'), grey(10, height), []);
    expect((await sharp(await readFile(join(target, 'x.png'))).metadata()).height).toBe(30);
    expect(await readdir(target)).toEqual(['x.png']);
  });

  test.each(['x.bmp', 'x', 'x.toString'])('%s is refused before any work', async (name) => {
    const broken = { ...grey(1, 1), width: -1 };
    await expect(writeAnnotated(join(folder, name), broken, [])).rejects.toThrow(/expected the extension \.png/);
  });

  test('failure leaves nothing behind', async () => {
    const target = join(folder, 'failing');
    await mkdir(join(target, 'taken.png'), { recursive: true });
    await expect(writeAnnotated(join(target, 'taken.png'), grey(8, 8), [])).rejects.toThrow(ImageError);
    await expect(writeAnnotated(join(target, 'wide.webp'), grey(20000, 1), [])).rejects.toThrow(/wide\.webp/);
    await expect(writeAnnotated(join(target, 'absent', 'x.png'), grey(8, 8), [])).rejects.toThrow(ImageError);
    expect(await readdir(target)).toEqual(['taken.png']);
  });
});
