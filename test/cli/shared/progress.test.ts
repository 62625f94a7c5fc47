import { afterEach, expect, test, vi } from 'vitest';
import { showRate } from '../../../src/cli/shared/progress.ts';

const { isTTY } = process.stderr;
afterEach(() => {
  process.stderr.isTTY = isTTY;
  vi.restoreAllMocks();
});

test.each([
  ['frames that nobody has counted', undefined, /(?<!\d)1 frames, [\d.]+ a second/],
  ['frames that the file counts', 20, /(?<!\d)1 of 20 frames, [\d.]+ a second, /],
])('%s', async (_, total, pattern) => {
  process.stderr.isTTY = true;
  let shown = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    shown += String(text);
    return true;
  });
  const bar = await showRate('frames', total);
  bar!.increment();
  bar!.stop();
  expect(shown).toMatch(pattern);
  expect(shown).not.toContain('of 0');
});
