import { formatTable } from '../shared/table.ts';
import { type Comparable, caseOf, type Results, RUN_MODES } from './results.ts';
import { fixed } from './tables.ts';

/** Times of one machine say nothing of another's. @throws RangeError for results of another adapter */
export function assertSameAdapter(old: Pick<Results, 'adapter'>, adapter: string): void {
  if (old.adapter !== adapter) {
    throw new RangeError(
      `results of different adapters cannot be compared: expected "${adapter}", got "${old.adapter}"`,
    );
  }
}

/**
 * A table of median times then and now, of the cases that both have; sustained where both have that, too. The ceilings
 * come first: where they differ it is the machine that is slower or faster.
 * @throws RangeError for results of another adapter
 */
export function compareResults(old: Comparable, now: Comparable): string {
  assertSameAdapter(old, now.adapter);
  const speedup = (ratio: number) => `${fixed(ratio, 2)} ×`;
  const ceiling = (name: 'fmaGflops' | 'copyGBs', unit: string) => [
    `ceiling, ${unit}`,
    ...['', ''],
    fixed(old.ceilings[name]),
    fixed(now.ceilings[name]),
    speedup(now.ceilings[name] / old.ceilings[name]),
  ];
  const rows = now.rows.flatMap((row) => {
    const before = old.rows.find((each) => caseOf(each) === caseOf(row) && each.provider === row.provider);
    if (!before) return [];
    return RUN_MODES.flatMap(({ name, wall }) => {
      const [then, today] = [before[wall]?.median, row[wall]?.median];
      if (then === undefined || today === undefined) return [];
      return [[caseOf(row), row.provider, name, `${fixed(then)} ms`, `${fixed(today)} ms`, speedup(then / today)]];
    });
  });
  const header = ['', 'provider', 'runs', old.commit ?? 'before', now.commit ?? 'now', 'speed'];
  return formatTable([header, ceiling('fmaGflops', 'GFLOP/s'), ceiling('copyGBs', 'GB/s'), ...rows], 3);
}
