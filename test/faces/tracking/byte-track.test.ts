import { describe, expect, test } from 'vitest';
import { ByteTracker, type Detection } from '../../../src/faces/tracking/byte-track.ts';
import { createRng } from '../../support/rng.ts';

function face(x: number, y: number, score = 0.9, size = 40): Detection {
  return { box: [x, y, x + size, y + size * 1.2], score };
}

describe('ByteTracker', () => {
  test('people who cross keep their numbers, whatever order they are found in', () => {
    const tracker = new ByteTracker();
    const rng = createRng(1);
    for (let frame = 0; frame < 60; frame++) {
      const jitter = () => rng.normal() * 0.5;
      const [a, b] = [face(20 + 4 * frame + jitter(), 50 + jitter()), face(260 - 4 * frame + jitter(), 90 + jitter())];
      const swapped = frame % 2 === 1;
      const ids = tracker.update(swapped ? [b, a] : [a, b]);
      expect(swapped ? [ids[1], ids[0]] : ids, `frame ${frame}`).toEqual([1, 2]);
    }
  });

  test('a face that grows faint keeps its number; faint ones alone begin no track', () => {
    const tracker = new ByteTracker();
    for (let frame = 0; frame < 30; frame++) {
      const faint = frame > 8 && frame < 20;
      const [id, stray] = tracker.update([face(50 + 2 * frame, 60, faint ? 0.2 : 0.9), face(400, 300, 0.3)]);
      expect(id, `frame ${frame}`).toBe(1);
      expect(stray).toBeUndefined();
    }
  });

  test('a face that comes back in time gets its number back, later a new one', () => {
    const run = (away: number) => {
      const tracker = new ByteTracker({ maxLost: 10 });
      for (let frame = 0; frame < 15; frame++) expect(tracker.update([face(100, 100)])).toEqual([1]);
      for (let frame = 0; frame < away; frame++) expect(tracker.update([])).toEqual([]);
      tracker.update([face(101, 100)]);
      return tracker.update([face(101, 100)])[0];
    };
    expect(run(8)).toBe(1);
    expect(run(15)).toBe(2);
  });

  test('a face out of sight may be anywhere between where it was found and where it was going, until it is forgotten', () => {
    const tracker = new ByteTracker({ maxLost: 5 });
    for (let frame = 0; frame < 20; frame++) tracker.update([face(10 * frame, 50), face(400, 300)]);
    expect(tracker.outOfSight).toEqual([]);
    for (let frame = 20; frame < 25; frame++) {
      tracker.update([face(400, 300)]);
      const [{ track, box } = { track: 0, box: [] as never }, ...others] = tracker.outOfSight;
      expect([track, others]).toEqual([1, []]);
      const { box: last } = face(190, 50);
      const { box: now } = face(10 * frame, 50);
      for (const [i, side] of [last[0], last[1], now[2], now[3]].entries()) {
        expect(Math.abs(box[i]! - side), `frame ${frame}`).toBeLessThan(2);
      }
    }
    tracker.update([face(400, 300)]);
    expect(tracker.outOfSight).toEqual([]);
  });

  test('something seen once is followed where nothing need be confirmed', () => {
    const [usual, eager] = [new ByteTracker(), new ByteTracker({ newTrackScore: 0.5, confirm: false })];
    for (const tracker of [usual, eager]) tracker.update([]);
    // found every other frame, and not well
    for (let frame = 0; frame < 9; frame++) {
      const found = frame % 2 === 0 ? [face(50 + frame, 60, 0.55)] : [];
      for (const tracker of [usual, eager]) tracker.update(found);
      expect(usual.outOfSight).toEqual([]);
      expect(eager.outOfSight.map(({ track }) => track)).toEqual(frame % 2 === 0 ? [] : [1]);
    }
  });

  test('something seen once is never told of, save in the first frame', () => {
    const tracker = new ByteTracker();
    expect(tracker.update([face(10, 10)])).toEqual([1]);
    expect(tracker.update([face(10, 10), face(300, 300)])).toEqual([1, undefined]);
    expect(tracker.update([face(10, 10)])).toEqual([1]);
    expect(tracker.update([face(10, 10), face(200, 200)])).toEqual([1, undefined]);
    expect(tracker.update([face(10, 10), face(200, 200)])[1]).toBeGreaterThan(1);
  });

  test('a moving face is found where it is going to be, not where it was', () => {
    const tracker = new ByteTracker();
    // speeds up to 16 pixels a frame; in three frames it leaves its box of 40 behind
    const at = (frame: number) => face(frame < 16 ? frame ** 2 / 2 : 128 + 16 * (frame - 16), 50);
    for (let frame = 0; frame < 40; frame++) expect(tracker.update([at(frame)]), `frame ${frame}`).toEqual([1]);
    tracker.update([]);
    tracker.update([]);
    expect(at(42).box[0]).toBeGreaterThan(at(39).box[2]);
    expect(tracker.update([at(42)])).toEqual([1]);
  });

  test('crowds: numbers are unique in every frame, and stay', () => {
    const tracker = new ByteTracker();
    const rng = createRng(2);
    const people = Array.from({ length: 20 }, (_, i) => ({
      x: (i % 5) * 120,
      y: Math.floor(i / 5) * 120,
      vx: rng.normal(),
      vy: rng.normal(),
    }));
    let first: (number | undefined)[] = [];
    for (let frame = 0; frame < 40; frame++) {
      const ids = tracker.update(people.map(({ x, y, vx, vy }) => face(x + vx * frame, y + vy * frame)));
      expect(new Set(ids).size).toBe(20);
      if (frame === 0) first = ids;
      else expect(ids).toEqual(first);
    }
  });

  test('boxes without area are left out, and bad options refused', () => {
    const tracker = new ByteTracker();
    expect(tracker.update([{ box: [5, 5, 5, 9], score: 1 }, face(0, 0)])).toEqual([undefined, 1]);
    expect(() => new ByteTracker({ highScore: 2 })).toThrow('highScore: expected a number from 0 to 1, got 2');
    expect(() => new ByteTracker({ highScore: 0.3, lowScore: 0.4 })).toThrow('expected at most highScore 0.3');
    expect(() => new ByteTracker({ maxLost: -1 })).toThrow('maxLost: expected a non-negative integer');
  });
});
