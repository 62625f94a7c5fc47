import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PollPacer } from '../../src/runtime/poll-pacer.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A millisecond, and a turn of the event loop. */
const yieldCore = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

/** How long a run that takes `workMs` is waited for, and how much of that is polling. */
async function runOf(pace: PollPacer, workMs: number): Promise<{ total: number; polled: number }> {
  const start = performance.now();
  let woken = 0;
  const done = pace.wait(() => {
    woken = performance.now();
    const rest = Math.max(0, workMs - (woken - start));
    return rest > 0 ? new Promise<void>((resolve) => setTimeout(resolve, rest)) : Promise.resolve();
  }, yieldCore);
  await vi.runAllTimersAsync();
  await done;
  return { total: performance.now() - start, polled: performance.now() - woken };
}

test('the first two runs are polled from the start: the first one may compile for seconds', async () => {
  const pace = new PollPacer();
  for (const workMs of [5000, 100]) {
    const { total, polled } = await runOf(pace, workMs);
    expect(total).toBe(polled);
    expect(total).toBeLessThanOrEqual(workMs + 1);
  }
  for (let i = 0; i < 8; i++) expect((await runOf(pace, 100)).total).toBeLessThanOrEqual(101);
});

test('later runs sleep nearly through and end within a yield', async () => {
  const pace = new PollPacer();
  for (let i = 0; i < 2; i++) await runOf(pace, 100);
  for (let i = 0; i < 20; i++) {
    const { total, polled } = await runOf(pace, 100);
    expect(total).toBeLessThanOrEqual(101);
    expect(polled).toBeLessThan(20);
  }
});

test('of runs that have become four times faster only the first is waited for longer', async () => {
  const pace = new PollPacer();
  for (let i = 0; i < 8; i++) await runOf(pace, 120);
  const totals: number[] = [];
  for (let i = 0; i < 12; i++) totals.push((await runOf(pace, 30)).total);
  expect(totals[0]).toBeLessThanOrEqual(120);
  expect(Math.max(...totals.slice(1))).toBeLessThanOrEqual(31);
});

test('one slow run does not put the next ones to sleep for longer than they take', async () => {
  const pace = new PollPacer();
  for (let i = 0; i < 3; i++) await runOf(pace, 100);
  // a machine may be suspended meanwhile
  for (const slowMs of [140, 8000]) {
    await runOf(pace, slowMs);
    expect((await runOf(pace, 100)).total).toBeLessThanOrEqual(101);
  }
});

test('short runs take no longer than a yieldCore more', async () => {
  const pace = new PollPacer();
  for (let i = 0; i < 10; i++) expect((await runOf(pace, 1)).total).toBeLessThanOrEqual(2);
});

test('a failure is passed on', async () => {
  const failing = expect(new PollPacer().wait(() => Promise.reject(new Error('lost')), yieldCore)).rejects.toThrow(
    'lost',
  );
  await vi.runAllTimersAsync();
  await failing;
});
