import { expect, it } from 'vitest';
import { createRng } from './rng.ts';

it('repeats itself', () => {
  expect(createRng(7).floats(20)).toEqual(createRng(7).floats(20));
  expect(createRng(7).floats(20)).not.toEqual(createRng(8).floats(20));
});

it('keeps to its ranges', () => {
  const rng = createRng(1);
  const dice = Array.from({ length: 600 }, () => rng.int(1, 6));
  expect(new Set(dice)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  expect(rng.floats(1000, 2, 3).every((v) => v >= 2 && v <= 3)).toBe(true);
  expect(new Set(rng.bytes(10_000)).size).toBe(256);
  expect(['a', 'b']).toContain(rng.pick(['a', 'b']));
});

it('draws normal numbers', () => {
  const rng = createRng(2);
  const values = Array.from({ length: 20_000 }, () => rng.normal());
  const mean = values.reduce((a, b) => a + b) / values.length;
  expect(mean).toBeCloseTo(0, 1);
  expect(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length).toBeCloseTo(1, 1);
});
