import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/cli/eval/dataset.ts';
import { EvaluationError } from '../../../src/cli/eval/errors.ts';
import { readLabels, readMatGroundTruth, type Setting } from '../../../src/cli/eval/ground-truth.ts';
import { dataDir, withData } from '../../support/data.ts';
import { buildMat, type MatValue } from '../../support/mat-builder.ts';

const column = (numbers: number[]): MatValue => ({ dims: [numbers.length, 1], numbers, type: 'uint8' });

/** One event with two images: two faces, and none. */
function officialFiles({ boxes = [1, 10, 2, 20, 3, 30, 4, 40], easy = [1], hard = [2, 1] } = {}) {
  const faces = { dims: [boxes.length / 4, 4], numbers: boxes, type: 'int32' } as const;
  const list = (kept: number[]) =>
    buildMat({ gt_list: { cells: [{ cells: [column(kept), { dims: [0, 1], numbers: [] }] }] } });
  return {
    faces: buildMat({
      event_list: { cells: ['7--Cheering'] },
      file_list: { cells: [{ cells: [{ cells: ['a'] }, { cells: ['b'] }] }] },
      face_bbx_list: { cells: [{ cells: [faces, { dims: [0, 0], numbers: [] }] }] },
    }),
    easy: list(easy),
    medium: list([]),
    hard: list(hard),
  };
}

function readerOf(files: ReturnType<typeof officialFiles>) {
  return async (file: keyof typeof files) => files[file];
}

describe('official files', () => {
  test('boxes come by rows and lists as masks', async () => {
    const mask = (...values: number[]) => Uint8Array.from(values);
    expect(await readMatGroundTruth(readerOf(officialFiles()))).toEqual({
      settings: ['easy', 'medium', 'hard'],
      images: [
        {
          event: '7--Cheering',
          name: 'a',
          boxes: Float64Array.of(1, 2, 3, 4, 10, 20, 30, 40),
          counted: { easy: mask(1, 0), medium: mask(0, 0), hard: mask(1, 1) },
        },
        {
          event: '7--Cheering',
          name: 'b',
          boxes: new Float64Array(),
          counted: { easy: mask(), medium: mask(), hard: mask() },
        },
      ],
    });
  });

  test.each([
    ['a face that is not there', { easy: [3] }, /wider_easy_val\.mat: 7--Cheering\/a: .*from 1 to 2, got 3/],
    ['face 0', { easy: [0] }, /from 1 to 2, got 0/],
    ['a face twice', { hard: [1, 1] }, /wider_hard_val\.mat: 7--Cheering\/a: expected different faces/],
  ])('%s is refused', async (_, change, message) => {
    await expect(readMatGroundTruth(readerOf(officialFiles(change)))).rejects.toThrow(message);
  });

  test('boxes of three numbers are refused', async () => {
    const files = officialFiles();
    const faces = buildMat({
      event_list: { cells: ['e'] },
      file_list: { cells: [{ cells: [{ cells: ['a'] }] }] },
      face_bbx_list: { cells: [{ cells: [{ dims: [4, 3], numbers: Array(12).fill(1) }] }] },
    });
    await expect(readMatGroundTruth(readerOf({ ...files, faces }))).rejects.toThrow(
      /e\/a: expected N×4 numbers, got 4×3/,
    );
    await expect(readMatGroundTruth(readerOf({ ...files, faces: files.easy }))).rejects.toBeInstanceOf(EvaluationError);
  });
});

describe('labelv2.txt', () => {
  test('every face counts', () => {
    const text = '# e/a.jpg 100 50\r\n1 2 4 6\n1 2 4 6.5 9 9 0 8 8 0 7 7 0 6 6 0 5 5 0\n\n# e/b.jpg 10 10\n';
    expect(readLabels(text, 'labelv2.txt')).toEqual({
      settings: ['all'],
      images: [
        {
          event: 'e',
          name: 'a',
          boxes: Float64Array.of(1, 2, 3, 4, 1, 2, 3, 4.5),
          counted: { all: Uint8Array.of(1, 1) },
        },
        { event: 'e', name: 'b', boxes: new Float64Array(), counted: { all: new Uint8Array() } },
      ],
    });
  });

  test.each([
    ['', /labelv2\.txt: expected at least one image/],
    ['1 2 3 4\n', /labelv2\.txt:1: expected '# event\/image\.jpg width height', got '1 2 3 4'/],
    ['# a.jpg 1 1\n', /:1: expected '# event/],
    ['# e/a.jpg 1 1\n1 2 3\n', /:2: expected 'x1 y1 x2 y2', got '1 2 3'/],
    ['# e/a.jpg 1 1\n1 2 3 x\n', /:2: expected 'x1 y1 x2 y2'/],
  ])('%j is refused', (text, message) => {
    expect(() => readLabels(text, 'labelv2.txt')).toThrow(message);
  });
});

withData('the real annotations', () => {
  test('have the published numbers of images and faces', async () => {
    const { settings, images, annotations } = await openDataset(join(dataDir!, 'widerface'));
    expect(annotations).toBe('mat');
    const faces = (setting: Setting) =>
      images.reduce((sum, { counted }) => sum + counted[setting]!.reduce((part, value) => part + value, 0), 0);
    expect([images.length, settings.map(faces)]).toEqual([3226, [7211, 13319, 31958]]);
    expect(images.reduce((sum, { boxes }) => sum + boxes.length / 4, 0)).toBe(39708);
    expect(images[0]).toMatchObject({ event: '0--Parade', name: '0_Parade_marchingband_1_465' });
    expect([...images[0]!.boxes.slice(0, 8)]).toEqual([345, 211, 4, 4, 331, 126, 3, 3]);
  });

  test('are the same in labelv2.txt, faces without an area aside', async () => {
    const folder = join(dataDir!, 'widerface');
    const path = join(folder, 'labelv2.txt');
    const labels = readLabels(await readFile(path, 'utf8'), path);
    const { images } = await openDataset(folder);
    const rows = (boxes: Float64Array) =>
      Array.from({ length: boxes.length / 4 }, (_, i) => [...boxes.slice(i * 4, i * 4 + 4)]);
    const byName = new Map(labels.images.map((image) => [`${image.event}/${image.name}`, rows(image.boxes)]));
    for (const { event, name, boxes } of images) {
      const withArea = rows(boxes).filter(([, , width, height]) => width! > 0 && height! > 0);
      expect(byName.get(`${event}/${name}`), `${event}/${name}`).toEqual(withArea);
    }
  });
});
