import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EvaluationError } from '../../../src/cli/eval/errors.ts';
import { type MatArray, readMatFile } from '../../../src/cli/eval/mat-file.ts';
import { dataDir, withData } from '../../support/data.ts';
import { buildMat, type MatFormat, type MatValue } from '../../support/mat-builder.ts';
import { createRng } from '../../support/rng.ts';

const read = async (bytes: Uint8Array<ArrayBuffer>, name = 'x'): Promise<MatArray> =>
  (await readMatFile(bytes, [name], 'x.mat'))[name]!;

const FORMATS: MatFormat[] = [true, false].flatMap((compressed) =>
  [true, false].flatMap((littleEndian) => [true, false].map((small) => ({ compressed, littleEndian, small }))),
);

describe.each(FORMATS)('a file with %o', (format) => {
  const value: MatValue = {
    cells: [
      'ab',
      'a longer text: ünd',
      '',
      { dims: [2, 3], numbers: [1, 2, 3, 4, 5, 6], type: 'uint8' },
      { dims: [1, 3], numbers: [-1.5, 1e300, 0.1] },
      { dims: [0, 1], numbers: [], type: 'uint8' },
      { cells: [{ cells: ['deep'] }], dims: [1, 1] },
    ],
  };

  test('is read', async () => {
    const bytes = buildMat({ other: { mxClass: 2 }, x: value, last: 'z' }, format);
    const array = await read(bytes);
    expect(array).toEqual({
      kind: 'cell',
      dims: [7, 1],
      cells: [
        { kind: 'char', dims: [1, 2], text: 'ab' },
        { kind: 'char', dims: [1, 18], text: 'a longer text: ünd' },
        { kind: 'char', dims: [0, 0], text: '' },
        { kind: 'numeric', dims: [2, 3], values: Float64Array.of(1, 2, 3, 4, 5, 6) },
        { kind: 'numeric', dims: [1, 3], values: Float64Array.of(-1.5, 1e300, 0.1) },
        { kind: 'numeric', dims: [0, 1], values: Float64Array.of() },
        {
          kind: 'cell',
          dims: [1, 1],
          cells: [{ kind: 'cell', dims: [1, 1], cells: [{ kind: 'char', dims: [1, 4], text: 'deep' }] }],
        },
      ],
    });
    expect(await read(bytes, 'last')).toMatchObject({ text: 'z' });
  });

  test.each(['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'single', 'double', 'int64'] as const)(
    'holds %s',
    async (type) => {
      const numbers = type.startsWith('u') ? [0, 200, 7] : [0, -100, 7];
      expect(await read(buildMat({ x: { dims: [3, 1], numbers, type } }, format))).toEqual({
        kind: 'numeric',
        dims: [3, 1],
        values: Float64Array.from(numbers),
      });
    },
  );
});

describe('what cannot be read is an EvaluationError', () => {
  const bytes = buildMat({ x: { cells: ['a', { dims: [1, 2], numbers: [1, 2] }] }, s: { mxClass: 2 } });

  test.each([
    [
      'text',
      Uint8Array.from(Buffer.from('hello, this is no such file')),
      /level 5 file.* 27 bytes.*'hello, this is no su/,
    ],
    ['nothing', new Uint8Array(), /expected a MATLAB level 5 file, got 0 bytes/],
    ['an end inside a variable', bytes.slice(0, 150), /x\.mat: damaged or cut short/],
    ['an end inside a tag', bytes.slice(0, 130), /x\.mat: damaged or cut short/],
    ['an absent variable', buildMat({ y: 'a' }), /x\.mat: expected a variable x, got none/],
    ['fewer numbers than elements', buildMat({ x: { dims: [2, 2], numbers: [1] } }), /x: expected 2×2 numbers, got 1/],
    ['fewer cells than elements', buildMat({ x: { dims: [3, 1], cells: ['a'] } }), /x: expected 3 cells, got 1/],
    ['another class', buildMat({ x: { mxClass: 2 } }), /x: expected real numbers, .*got 1×1 of array class 2/],
  ])('%s', async (_, damaged, message) => {
    const failure = await read(damaged as Uint8Array<ArrayBuffer>).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EvaluationError);
    expect((failure as Error).message).toMatch(message);
  });

  test('cells upon cells', async () => {
    let value: MatValue = 'a';
    for (let i = 0; i < 50; i++) value = { cells: [value] };
    await expect(read(buildMat({ x: value }))).rejects.toThrow(/more than 32 deep/);
  });

  test('any other damage', async () => {
    const plain = buildMat({ x: { cells: ['ab', { dims: [1, 2], numbers: [1, 2] }] } }, { compressed: false });
    const { int } = createRng(1);
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      const damaged = Uint8Array.from(plain);
      damaged[int(128, plain.length - 1)] = int(0, 255);
      await read(damaged).catch((error: unknown) => {
        expect(error).toBeInstanceOf(EvaluationError);
        refused++;
      });
    }
    expect(refused).toBeGreaterThan(500);
  });
});

withData('the official files', () => {
  test.each(['wider_face_val.mat', 'wider_easy_val.mat', 'wider_medium_val.mat', 'wider_hard_val.mat'])(
    '%s',
    async (name) => {
      const bytes = new Uint8Array(await readFile(join(dataDir!, 'widerface/ground_truth', name)));
      const { event_list, face_bbx_list } = await readMatFile(bytes, ['event_list', 'face_bbx_list'], name);
      if (event_list.kind !== 'cell' || face_bbx_list.kind !== 'cell') throw new Error('expected cells');
      expect([event_list.dims, face_bbx_list.dims]).toEqual([
        [61, 1],
        [61, 1],
      ]);
      const [first] = event_list.cells;
      expect(first).toEqual({ kind: 'char', dims: [1, 9], text: '0--Parade' });
    },
  );
});
