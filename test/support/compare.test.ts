import { describe, expect, it } from 'vitest';
import type { Face } from '../../src/common/face.ts';
import { expectClose, expectSameFaces } from './compare.ts';

describe('expectClose', () => {
  const reason = 'test';

  it('passes within abs or rel', () => {
    expectClose([1.05, 1001, Infinity], [1, 1000, Infinity], { abs: 0.1, rel: 1e-3, reason });
    expectClose([], [], { reason });
  });

  it.each<[string, number[], number[]]>([
    ['NaN', [NaN], [0]],
    ['NaN for NaN', [NaN], [NaN]],
    ['infinity', [5], [Infinity]],
    ['missing', [1], [1, 2]],
    ['too many', [1, 2], [1]],
    ['too far', [1.2], [1]],
  ])('fails on %s', (_, actual, expected) => {
    expect(() => expectClose(actual, expected, { abs: 0.1, rel: 0.1, reason })).toThrow();
  });

  it('says where and how much', () => {
    expect(() => expectClose([1, 3, 9], [1, 2, 3], { abs: 0.5, reason })).toThrow(
      /2 of 3 .*\(test\)\nfirst at \[1\]: expected 2, got 3\nmax abs error 6 at \[2\]: expected 3, got 9/,
    );
  });
});

describe('expectSameFaces', () => {
  const a: Face = { score: 0.9, box: [10, 10, 50, 60], keypoints: [[20, 30]] };
  const b: Face = { score: 0.8, box: [110, 10, 150, 60], keypoints: [[120, 30]] };
  const c: Face = { score: 0.79995, box: [210, 10, 250, 60], keypoints: [[220, 30]] };

  it('passes on small differences and swaps of equal scores', () => {
    expectSameFaces([{ ...a, score: 0.90005, box: [10.04, 10, 50, 60] }, c, b], [a, b, c]);
    expectSameFaces([], []);
  });

  it.each<[string, Face[], RegExp]>([
    ['a missing face', [a], /expected 2 faces, got 1\nexpected\[1\] is missing: 0\.8/],
    ['an extra face', [a, b, c], /actual\[2\] is not expected/],
    ['another order', [b, a], /comes before expected\[0\]/],
    ['a score', [{ ...a, score: 0.91 }, b], /score off/],
    ['a box', [{ ...a, box: [10.1, 10, 50, 60] }, b], /box off/],
    ['NaN', [{ ...a, box: [NaN, 10, 50, 60] }, b], /box off/],
    ['a keypoint', [{ ...a, keypoints: [[20, 31]] }, b], /keypoints off/],
    ['no keypoints', [{ score: a.score, box: a.box }, b], /keypoints off/],
  ])('fails on %s', (_, actual, message) => {
    expect(() => expectSameFaces(actual, [a, b])).toThrow(message);
  });
});
