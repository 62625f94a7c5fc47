import { describe, expect, test } from 'vitest';
import { streamResults } from '../../src/detector/stream.ts';

const later = (ms = 1) => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers as frames; what happens to them is written down. */
function track() {
  const log: string[] = [];
  let running = 0;
  let most = 0;
  return {
    log,
    most: () => most,
    release: (frame: number) => log.push(`release ${frame}`),
    detect: async (frame: number) => {
      running++;
      most = Math.max(most, running);
      await later(frame % 3);
      running--;
      return frame * 10;
    },
    async *source(count: number) {
      try {
        for (let i = 0; i < count; i++) {
          log.push(`give ${i}`);
          yield i;
        }
      } finally {
        log.push('closed');
      }
    },
  };
}

describe('streamResults', () => {
  test.each([1, 2, 5])('results come in order, at most %i at a time', async (inFlight) => {
    const { source, detect, release, log, most } = track();
    const results = [];
    for await (const { frame, faces } of streamResults(source(12), detect, { inFlight, release })) {
      results.push([frame, faces]);
    }
    expect(results).toEqual(Array.from({ length: 12 }, (_, i) => [i, i * 10]));
    expect(most()).toBe(inFlight);
    expect(log.filter((line) => line.startsWith('release'))).toEqual(results.map(([i]) => `release ${i}`));
    expect(log).toContain('closed');
  });

  test('nothing is read ahead of a slow reader', async () => {
    const { source, detect, log } = track();
    const stream = streamResults(source(100), detect, { inFlight: 2 });
    await stream.next();
    await later(20);
    expect(log.filter((line) => line.startsWith('give')).length).toBeLessThanOrEqual(2);
    await stream.return();
    expect(log.at(-1)).toBe('closed');
  });

  test('leaving the loop closes the source and releases every frame', async () => {
    const { source, detect, release, log } = track();
    for await (const { frame } of streamResults(source(100), detect, { inFlight: 3, release })) if (frame === 4) break;
    await later(10);
    const given = log.filter((line) => line.startsWith('give')).length;
    expect(log.filter((line) => line.startsWith('release')).length).toBe(given);
    expect(log).toContain('closed');
  });

  test('a failed frame fails the loop, and the rest is released', async () => {
    const { source, detect, release, log } = track();
    const failing = async (frame: number) => {
      if (frame === 3) throw new Error('broken frame');
      return detect(frame);
    };
    const run = async () => {
      for await (const _ of streamResults(source(100), failing, { inFlight: 2, release }));
    };
    await expect(run()).rejects.toThrow('broken frame');
    await later(10);
    expect(log.filter((line) => line.startsWith('release')).length).toBe(
      log.filter((line) => line.startsWith('give')).length,
    );
    expect(log).toContain('closed');
  });

  test('frames that are done with are not kept', async () => {
    async function* source() {
      for (let i = 0; i < 1000; i++) yield new Uint8Array(1e6);
    }
    const { signal } = new AbortController();
    let most = 0;
    for await (const _ of streamResults(source(), () => later(0), { inFlight: 2, signal })) {
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    expect(most).toBeLessThan(400e6);
  });

  test('abort rejects with the reason, even while a source has no frame', async () => {
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<number>>(() => {}) }) };
    const { detect } = track();
    const controller = new AbortController();
    setTimeout(() => controller.abort('enough'), 5);
    const stream = streamResults(silent, detect, { inFlight: 2, signal: controller.signal });
    await expect(stream.next()).rejects.toBe('enough');
    await expect(
      streamResults(silent, detect, { inFlight: 2, signal: AbortSignal.abort('at once') }).next(),
    ).rejects.toBe('at once');
  });

  test('a live source that is late does not hold back results', async () => {
    const { detect } = track();
    let give: (frame: IteratorResult<number>) => void = () => {};
    const frames = [Promise.resolve({ done: false, value: 1 }), new Promise<IteratorResult<number>>((r) => (give = r))];
    const live = { [Symbol.asyncIterator]: () => ({ next: () => frames.shift() as Promise<IteratorResult<number>> }) };
    const stream = streamResults(live, detect, { inFlight: 2 });
    expect((await stream.next()).value).toEqual({ frame: 1, faces: 10 });
    const end = stream.next();
    give({ done: true, value: undefined });
    expect((await end).done).toBe(true);
  });
});
