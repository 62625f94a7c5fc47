import { expect, test, vi } from 'vitest';
import { type AnyDetector, type Audience, type Found, Studio } from '../../demo/studio.ts';

/** A call of the detector's that the test answers when it likes. */
interface Call {
  readonly shown: unknown;
  readonly signal: AbortSignal;
  answer(): void;
}

function setUp() {
  const calls: Call[] = [];
  const found: Found[] = [];
  const failed: unknown[] = [];
  const detector = (name: string) => {
    const detect = (shown: unknown, { signal }: { signal: AbortSignal }) =>
      // as the real one does: the call ends first, then the abort is told
      new Promise((resolve, reject) => {
        const answer = () => (signal.aborted ? reject(signal.reason) : resolve([{ name }]));
        calls.push({ shown, signal, answer });
      });
    return { detect, keypointCount: 0, alignFaces: async () => [], dispose: vi.fn(async () => {}) };
  };
  const audience: Audience = {
    options: () => ({}),
    onDetecting() {},
    onProgress() {},
    onFound: (each) => found.push(each),
    onFailed: (error) => failed.push(error),
    onEnded() {},
  };
  const studio = new Studio(audience);
  const use = (name: string) => {
    const made = detector(name);
    studio.setDetector(made as unknown as AnyDetector);
    return made;
  };
  const open = () => {
    const bitmap = { close: vi.fn() };
    studio.setSource({ kind: 'picture', bitmap: bitmap as unknown as ImageBitmap });
    return bitmap;
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return { studio, calls, found, failed, use, open, settle };
}

test('the newest picture is searched next, and none is closed while it is in use', async () => {
  const { calls, found, failed, use, open, settle } = setUp();
  use('model');
  await settle();
  const [first, second, third] = [open(), open(), open()];
  expect(calls.map(({ shown }) => shown)).toEqual([first]);
  expect(calls[0]!.signal.aborted).toBe(true);
  await settle();
  for (const picture of [first, second, third]) expect(picture.close).not.toHaveBeenCalled();
  calls[0]!.answer();
  await settle();
  expect(calls.map(({ shown }) => shown)).toEqual([first, third]);
  for (const picture of [first, second]) expect(picture.close).toHaveBeenCalledOnce();
  calls[1]!.answer();
  await settle();
  expect(found.map(({ shown }) => shown)).toEqual([third]);
  expect(third.close).not.toHaveBeenCalled();
  expect(failed).toEqual([]);
});

test('settings that change meanwhile are searched with once more, not once each', async () => {
  const { studio, calls, found, use, open, settle } = setUp();
  use('model');
  await settle();
  open();
  for (let i = 0; i < 5; i++) studio.refresh();
  calls[0]!.answer();
  await settle();
  calls[1]!.answer();
  await settle();
  expect([calls.length, found.length]).toEqual([2, 1]);
});

test('another model searches the picture again, and the one before is freed', async () => {
  const { calls, found, use, open, settle } = setUp();
  const before = use('before');
  await settle();
  const picture = open();
  use('after');
  expect(before.dispose).toHaveBeenCalledOnce();
  calls[0]!.answer();
  await settle();
  calls[1]!.answer();
  await settle();
  expect(calls.map(({ shown }) => shown)).toEqual([picture, picture]);
  expect(found.map(({ faces }) => faces)).toEqual([[{ name: 'after' }]]);
});

test('the time until the first frame of a camera is no part of its rate', async () => {
  const { studio, found } = setUp();
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const waits = [12_000, 100, 100, 100];
  async function* stream() {
    for (const wait of waits) {
      now += wait;
      yield { frame: {}, faces: [] };
    }
  }
  studio.setDetector({ stream, dispose: async () => {} } as unknown as AnyDetector);
  studio.setSource({ kind: 'live', frames: {} as MediaStream, close() {} });
  await vi.waitFor(() => expect(found).toHaveLength(4));
  vi.restoreAllMocks();
  expect(found.map(({ framesPerSecond }) => framesPerSecond && Math.round(framesPerSecond))).toEqual([
    undefined,
    10,
    10,
    10,
  ]);
});
