import { describe, expect, it } from 'vitest';
import { sortCandidates } from '../../../src/kernels/detection/sort-candidates.ts';
import type { Candidate } from '../../support/reference-scrfd.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { candidateLists } from '../support/heads.ts';
import { runDispatch } from '../support/run-steps.ts';

const COUNTS = [0, 1, 2, 3, 63, 64, 65, 255, 256, 257, 1000, 4097, 16800];

/** `count` of `total` anchors in random order; with `levels` of score, most have many equals. */
function randomList(rng: Rng, total: number, count: number, levels: number): Candidate[] {
  const anchors = Array.from({ length: total }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = rng.int(i, total - 1);
    [anchors[i], anchors[j]] = [anchors[j]!, anchors[i]!];
  }
  return anchors.slice(0, count).map((anchor) => ({
    anchor,
    score: Math.fround(levels === 0 ? rng.uniform(0, 1) : rng.int(1, levels) / levels),
    box: [0, 0, 0, 0],
  }));
}

function sorted(list: readonly Candidate[]): Candidate[] {
  return [...list].sort((a, b) => b.score - a.score || a.anchor - b.anchor);
}

describe('sort-candidates', () => {
  it('states its binding and workgroups', () => {
    const { bindingBytes, workgroups } = sortCandidates({ batch: 3, total: 1000 });
    expect(bindingBytes).toEqual([3 * 1001 * 8]);
    expect(workgroups).toEqual([3, 1, 1]);
  });

  describe.each<[string, number]>([
    ['different scores', 0],
    ['20 scores', 20],
    ['one score', 1],
  ])('%s', (_, levels) => {
    it.each(COUNTS)('%i candidates: by score, equal ones by anchor', async (count) => {
      const rng = createRng(count + levels);
      const spec = { batch: 1, total: Math.max(count, 100) };
      const list = randomList(rng, Math.max(count, 100), count, levels);
      const output = await runDispatch(sortCandidates(spec), [], candidateLists(spec, [list]));
      const expected = candidateLists(spec, [sorted(list)]);
      expect(firstDifference(new Uint32Array(output), expected)).toBeUndefined();
    });
  });

  it.each<[string, (list: Candidate[]) => Candidate[]]>([
    ['already sorted', sorted],
    ['reversed', (list) => sorted(list).reverse()],
  ])('%s', async (_, arrange) => {
    const spec = { batch: 1, total: 700 };
    const list = arrange(randomList(createRng(8), 700, 600, 7));
    const output = await runDispatch(sortCandidates(spec), [], candidateLists(spec, [list]));
    expect(firstDifference(new Uint32Array(output), candidateLists(spec, [sorted(list)]))).toBeUndefined();
  });

  it.each([[[300, 0]], [[1, 257]], [[300, 300]], [[0, 0]]])('sorts the images of a batch apart: %j', async (counts) => {
    const rng = createRng(9);
    const spec = { batch: 2, total: 300 };
    const lists = counts.map((count) => randomList(rng, 300, count, 10));
    const output = await runDispatch(sortCandidates(spec), [], candidateLists(spec, lists));
    expect(firstDifference(new Uint32Array(output), candidateLists(spec, lists.map(sorted)))).toBeUndefined();
  });
});

/** Compares all words, also those that the kernel must leave alone. */
function firstDifference(actual: Uint32Array, expected: Uint32Array): string | undefined {
  const at = expected.findIndex((word, i) => word !== actual[i]);
  return at < 0 ? undefined : `word ${at}: expected ${expected[at]}, got ${actual[at]}`;
}
