import { expect, test } from 'vitest';
import { createTracker, type Face } from '../../../src/index.node.ts';

function face(x: number, score: number): Face {
  return { box: [x, 50, x + 40, 100], score, keypoints: [] as never };
}

test('faces keep what they have and get a number; faint ones are there as long as they are of a track', async () => {
  const tracker = await createTracker();
  expect(tracker.update([face(20, 0.9), face(200, 0.55)])).toEqual([
    { ...face(20, 0.9), track: 1 },
    // too faint to begin a track
    face(200, 0.55),
  ]);
  expect(tracker.update([face(300, 0.2), face(22, 0.2)])).toEqual([{ ...face(22, 0.2), track: 1 }]);
  expect(tracker.update([])).toEqual([]);
  expect(tracker.update([face(25, 0.8)])).toEqual([{ ...face(25, 0.8), track: 1 }]);
});

test('options are checked', async () => {
  await expect(createTracker({ highScore: 2 })).rejects.toThrow(RangeError);
  await expect(createTracker({ maxlost: 3 } as object)).rejects.toThrow('did you mean maxLost?');
});
