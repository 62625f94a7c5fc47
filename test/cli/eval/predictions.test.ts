import { expect, test } from 'vitest';
import { EvaluationError } from '../../../src/cli/eval/errors.ts';
import { formatPredictions, parsePredictions } from '../../../src/cli/eval/predictions.ts';
import type { Face } from '../../../src/common/face.ts';

const image = { event: '0--Parade', name: '0_Parade_1' };
const parse = (text: string) => parsePredictions(text, image, 'x.txt');

test('the official form', () => {
  const faces: Face[] = [
    { box: [10, 20.5, 40, 60], score: Math.fround(0.9) },
    { box: [-1.25, 0, 3, 4], score: 0.5 },
  ];
  expect(formatPredictions(image, faces)).toBe(
    '0--Parade/0_Parade_1.jpg\n2\n10.00000 20.50000 30.00000 39.50000 0.899999976\n-1.25000 0.00000 4.25000 4.00000 0.500000000\n',
  );
  expect(formatPredictions(image, [])).toBe('0--Parade/0_Parade_1.jpg\n0\n');
});

test('scores keep every bit of a float32, boxes five decimals', () => {
  const faces = Array.from({ length: 1000 }, (_, i): Face => {
    const score = Math.fround(0.02 + i / 1017);
    return { box: [i / 7, i / 3, i / 2, i], score };
  });
  const { boxes, scores } = parse(formatPredictions(image, faces));
  for (const [i, { box, score }] of faces.entries()) {
    expect(Math.fround(scores[i]!)).toBe(score);
    expect(boxes[i * 4 + 3]).toBeCloseTo(box[3] - box[1], 5);
  }
});

test.each([
  ['what other tools write', '0_Parade_1\r\n1\r\n1 2 3 4 0.5 \r\n\r\n'],
  ['several blanks and exponents', 'x/0--Parade/0_Parade_1.jpg\n1\n 1\t2  3e0 4 5e-1\n'],
])('%s', (_, text) => {
  expect(parse(text)).toEqual({ boxes: Float64Array.of(1, 2, 3, 4), scores: Float64Array.of(0.5) });
});

test.each([
  ['', /^x\.txt:1: expected 0--Parade\/0_Parade_1\.jpg, got ''/],
  ['0--Parade/0_Parade_10.jpg\n0\n', /^x\.txt:1: expected 0--Parade\/0_Parade_1\.jpg, got '0--Parade\/0_Parade_10/],
  ['0_Parade_1\n', /^x\.txt:2: expected 0, the number of rows, got ''/],
  ['0_Parade_1\n2\n1 2 3 4 0.5\n', /^x\.txt:2: expected 1, the number of rows, got '2'/],
  ['0_Parade_1\nnone\n', /^x\.txt:2: expected 0, .* got 'none'/],
  ['0_Parade_1\n1\n1 2 3 0.5\n', /^x\.txt:3: expected 'x y width height score', got '1 2 3 0\.5'/],
  ['0_Parade_1\n2\n1 2 3 4 0.5\n1 2 3 4 NaN\n', /^x\.txt:4: expected 'x y width height score'/],
  ['0_Parade_1\n1\n1 2 3 4 0.5 6\n', /^x\.txt:3: expected/],
])('%j is refused', (text, message) => {
  expect(() => parse(text)).toThrow(EvaluationError);
  expect(() => parse(text)).toThrow(message);
});
