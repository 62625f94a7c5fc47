import { expect, it } from 'vitest';
import { median, quantile, summarize } from '../../../src/cli/bench/statistics.ts';

it('interpolates between sorted values', () => {
  expect(quantile([4, 1, 3, 2], 0)).toBe(1);
  expect(quantile([4, 1, 3, 2], 1)).toBe(4);
  expect(quantile([10, 20], 0.25)).toBe(12.5);
  expect(median([9, 1, 2])).toBe(2);
  expect(median([1, 2, 3, 10])).toBe(2.5);
});

it('leaves its argument alone, and says nothing of nothing', () => {
  const values = [3, 1, 2];
  expect(summarize(values)).toEqual({ median: 2, p10: 1.2, p90: 2.8 });
  expect(values).toEqual([3, 1, 2]);
  expect(median([])).toBeNaN();
});
