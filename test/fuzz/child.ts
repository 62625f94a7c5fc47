// Runs inputs of one target, one after another, and tells its parent of each: `begin`, maybe `reference`, then what came of it.
// A process of its own, so that what ends or stalls it is a finding too.

import { createRng } from '../support/rng.ts';
import { MOST_BYTES } from './target.ts';
import { TARGETS } from './targets/index.ts';

export type Report =
  | { readonly kind: 'begin' | 'reference' }
  | { readonly kind: 'outcome'; readonly outcome: string }
  | { readonly kind: 'finding'; readonly what: string };

const [name, first, count] = process.argv.slice(2) as [string, string, string];
const target = await TARGETS[name]!();
const report = (message: Report) => process.send!(message);

for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const input = await target.make(createRng(seed));
  const before = process.resourceUsage().maxRSS;
  report({ kind: 'begin' });
  try {
    const outcome = await target.run(input, () => report({ kind: 'reference' }));
    const grown = (process.resourceUsage().maxRSS - before) * 1024;
    if (grown > MOST_BYTES) report({ kind: 'finding', what: `took ${Math.round(grown / 1e6)} MB` });
    else report({ kind: 'outcome', outcome });
  } catch (error) {
    report({ kind: 'finding', what: error instanceof Error ? (error.stack ?? String(error)) : String(error) });
  }
}
process.disconnect();
// devices and pools that stay open would keep it
process.exit(0);
