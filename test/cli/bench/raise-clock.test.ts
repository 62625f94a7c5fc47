import { afterEach, expect, it, vi } from 'vitest';
import { raiseClock } from '../../../src/cli/bench/raise-clock.ts';

afterEach(() => vi.useRealTimers());

it.each([
  ['a GPU', false, 100, 10],
  ['a software adapter', true, 100, 3],
  ['what takes longer, once,', false, 5000, 1],
])('works %s up', async (_, software, taskMs, expected) => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const task = vi.fn(async () => vi.advanceTimersByTime(taskMs));
  await raiseClock(task, { software });
  expect(task).toHaveBeenCalledTimes(expected);
});
