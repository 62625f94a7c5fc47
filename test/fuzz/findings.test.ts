import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createRng } from '../support/rng.ts';
import { TARGETS } from './targets/index.ts';

const FOLDER = new URL('findings/', import.meta.url);

// what was wrong once, by target and checksum
for (const file of readdirSync(FOLDER)) {
  test(file, async () => {
    const target = await TARGETS[file.slice(0, file.lastIndexOf('-'))]!();
    expect(await target.run(readFileSync(new URL(file, FOLDER)), () => {})).toEqual(expect.any(String));
  });
}

test('every target makes the same input of the same seed', async () => {
  for (const load of Object.values(TARGETS)) {
    const target = await load();
    expect(await target.make(createRng(7))).toEqual(await target.make(createRng(7)));
  }
});
