import { describe, expect, test } from 'vitest';
import { assign } from '../../../src/faces/tracking/assignment.ts';
import { createRng } from '../../support/rng.ts';

/** The largest gain of any pairing, by trying all. */
function bestGain(costs: readonly (readonly number[])[], limit: number, row = 0, used = new Set<number>()): number {
  if (row === costs.length) return 0;
  let best = bestGain(costs, limit, row + 1, used);
  for (const [column, cost] of costs[row]!.entries()) {
    if (used.has(column) || cost >= limit) continue;
    used.add(column);
    best = Math.max(best, limit - cost + bestGain(costs, limit, row + 1, used));
    used.delete(column);
  }
  return best;
}

describe('assign', () => {
  test.each([
    [1, 1],
    [3, 3],
    [2, 5],
    [5, 2],
    [6, 6],
  ])('%i × %i: no pairing gains more, and nothing beyond the limit is paired', (rows, columns) => {
    const rng = createRng(rows * 10 + columns);
    for (let round = 0; round < 40; round++) {
      const costs = Array.from({ length: rows }, () => Array.from({ length: columns }, () => rng.uniform(0, 1)));
      const limit = rng.uniform(0.1, 0.9);
      const { pairs, unmatchedRows, unmatchedColumns } = assign(rows, columns, (r, c) => costs[r]![c]!, limit);
      for (const [r, c] of pairs) expect(costs[r]![c]!).toBeLessThan(limit);
      const gain = pairs.reduce((sum, [r, c]) => sum + limit - costs[r]![c]!, 0);
      expect(gain).toBeCloseTo(bestGain(costs, limit), 10);
      expect([...pairs.map(([r]) => r), ...unmatchedRows].sort()).toEqual([...Array(rows).keys()]);
      expect([...pairs.map(([, c]) => c), ...unmatchedColumns].sort()).toEqual([...Array(columns).keys()]);
    }
  });

  test('nothing to pair', () => {
    expect(assign(0, 3, () => 0, 1)).toEqual({ pairs: [], unmatchedRows: [], unmatchedColumns: [0, 1, 2] });
    expect(assign(2, 0, () => 0, 1)).toEqual({ pairs: [], unmatchedRows: [0, 1], unmatchedColumns: [] });
    expect(assign(1, 1, () => 1, 1).pairs).toEqual([]);
  });
});
