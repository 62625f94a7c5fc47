import { expect, test } from 'vitest';
import { WeightedQueue } from '../../src/node/weighted-queue.ts';

test('in order, as many as fit together, one that fits nowhere by itself', async () => {
  const queue = new WeightedQueue(10);
  const running: number[] = [];
  const seen: number[][] = [];
  const task = (weight: number) =>
    queue.run(weight, async () => {
      running.push(weight);
      seen.push([...running]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running.splice(running.indexOf(weight), 1);
    });
  await Promise.all([4, 5, 3, 20, 1].map(task));
  expect(seen).toEqual([[4], [4, 5], expect.arrayContaining([3]), [20], [1]]);
  expect(seen[2]!.length).toBeLessThan(3);
});

test('a task that fails gives its part back', async () => {
  const queue = new WeightedQueue(1);
  await expect(queue.run(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await queue.run(1, async () => 'next')).toBe('next');
});

test('what waits can be given up, and those behind it come in', async () => {
  const queue = new WeightedQueue(2);
  const leave = await queue.enter(1);
  const ending = new AbortController();
  const large = queue.enter(2, ending.signal);
  const small = queue.enter(1);
  ending.abort(new Error('over'));
  await expect(large).rejects.toThrow('over');
  (await small)();
  leave();
  (await queue.enter(2))();
  await expect(queue.enter(1, ending.signal)).rejects.toThrow('over');
});
