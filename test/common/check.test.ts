import { expect, test } from 'vitest';
import { assertKnown } from '../../src/common/check.ts';

const KNOWN = { scoreThreshold: 1, iouThreshold: 1, inputSize: 1, inputSizes: 1, maxFaces: 1 } as const;

test.each([
  ['scoreTreshold', 'scoreThreshold'],
  ['scorethreshold', 'scoreThreshold'],
  ['input_size', 'inputSize'],
  ['inputSizse', 'inputSize'],
  ['maxFace', 'maxFaces'],
])('%s: did you mean %s?', (wrong, right) => {
  expect(() => assertKnown({ [wrong]: 0 }, KNOWN)).toThrow(
    new TypeError(`${wrong}: no such option; did you mean ${right}?`),
  );
});

test('without a resemblance there is no suggestion', () => {
  expect(() => assertKnown({ colour: 'red' }, KNOWN)).toThrow(new TypeError('colour: no such option'));
});

test('what is known passes, given or not', () => {
  expect(() => assertKnown({ maxFaces: undefined, inputSize: [1, 1] }, KNOWN)).not.toThrow();
});
