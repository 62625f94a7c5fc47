import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  areaUnderCurve,
  evaluatePredictions,
  normalizeScores,
  THRESHOLDS,
} from '../../../src/cli/eval/average-precision.ts';
import { openDataset } from '../../../src/cli/eval/dataset.ts';
import type { AnnotatedImage } from '../../../src/cli/eval/ground-truth.ts';
import type { Predictions } from '../../../src/cli/eval/predictions.ts';
import { dataDir, withData } from '../../support/data.ts';
import { createRng } from '../../support/rng.ts';

type Box = readonly [x: number, y: number, width: number, height: number];

function annotate(boxes: readonly Box[], counted: readonly number[] = boxes.map(() => 1)): AnnotatedImage {
  return {
    event: 'e',
    name: 'a',
    boxes: Float64Array.from(boxes.flat()),
    counted: { hard: Uint8Array.from(counted) },
  };
}

function predict(rows: readonly (readonly [...box: Box, score: number])[]): Predictions {
  return {
    boxes: Float64Array.from(rows.flatMap((row) => row.slice(0, 4))),
    scores: Float64Array.from(rows.map((row) => row[4])),
  };
}

function evaluateHard(images: readonly AnnotatedImage[], predictions: readonly Predictions[]) {
  return evaluatePredictions(['hard'], images, predictions)[0]!;
}

describe('by hand', () => {
  const [A, B, C]: Box[] = [
    [0, 0, 20, 20],
    [100, 0, 20, 20],
    [200, 0, 20, 20],
  ];
  const far: Box = [500, 500, 20, 20];

  test('a hit, a mistake, a hit', () => {
    const { averagePrecision, faces, precision, recall } = evaluateHard(
      [annotate([A!, B!])],
      [
        predict([
          [...A!, 0.9],
          [...far, 0.5],
          [...B!, 0.1],
        ]),
      ],
    );
    // scores become 1, 0.5, 0
    expect([precision[0], recall[0]]).toEqual([1, 0.5]);
    expect([precision[498], recall[498]]).toEqual([1, 0.5]);
    expect([precision[499], recall[499]]).toEqual([1 / 2, 0.5]);
    expect([precision[999], recall[999]]).toEqual([2 / 3, 1]);
    expect(faces).toBe(2);
    expect(averagePrecision).toBeCloseTo(0.5 * 1 + 0.5 * (2 / 3), 15);
  });

  test('a face that does not count is neither hit nor mistake', () => {
    const { averagePrecision, faces } = evaluateHard(
      [annotate([A!, B!, C!], [0, 1, 1])],
      [
        predict([
          [...A!, 0.9],
          [...B!, 0.8],
        ]),
      ],
    );
    expect([faces, averagePrecision]).toEqual([2, 0.5]);
  });

  test('a second box on a face is a mistake, one on a face that does not count is not', () => {
    const twice = predict([
      [...A!, 0.9],
      [...A!, 0.8],
      [...B!, 0.1],
    ]);
    expect(evaluateHard([annotate([A!, B!])], [twice]).averagePrecision).toBeCloseTo(0.5 + 0.5 * (2 / 3), 15);
    expect(evaluateHard([annotate([A!, B!], [0, 1])], [twice]).averagePrecision).toBe(1);
  });

  test('boxes include their last pixel', () => {
    // 2×2 and 2×1 pixels: half
    expect(evaluateHard([annotate([[0, 0, 1, 1]])], [predict([[0, 0, 1, 0, 0.5]])]).averagePrecision).toBe(1);
    // 10×10 and 10×19: just more than half; 10×20 half; 10×21 less
    for (const [height, expected] of [
      [18, 1],
      [19, 1],
      [20, 0],
    ] as const) {
      const found = predict([[0, 0, 9, height, 0.5]]);
      expect(evaluateHard([annotate([[0, 0, 9, 9]])], [found]).averagePrecision).toBe(expected);
    }
  });

  test('of two faces that a box overlaps it takes the nearer, of equals the first', () => {
    const near: Box = [2, 0, 20, 20];
    const found = predict([[2, 0, 20, 20, 0.5]]);
    expect(evaluateHard([annotate([A!, near], [1, 0])], [found]).averagePrecision).toBe(0);
    expect(evaluateHard([annotate([A!, near], [0, 1])], [found]).averagePrecision).toBe(1);
    expect(evaluateHard([annotate([near, near], [1, 0])], [found]).averagePrecision).toBe(1);
  });

  test('what is found in an image without annotations is no mistake', () => {
    const found = predict([[...A!, 0.9]]);
    expect(evaluateHard([annotate([A!]), annotate([])], [found, predict([[...A!, 0.95]])]).averagePrecision).toBe(1);
  });

  test('scores of all images are stretched together', () => {
    expect(normalizeScores([Float64Array.of(0.2, 0.6), new Float64Array(), Float64Array.of(0.4)])).toEqual([
      Float64Array.of(0, 1),
      new Float64Array(),
      Float64Array.of((0.4 - 0.2) / (0.6 - 0.2)),
    ]);
    expect(normalizeScores([Float64Array.of(0.3, 0.3)])).toEqual([Float64Array.of(1, 1)]);
  });

  test('no predictions are worth 0, no faces nothing', () => {
    const { averagePrecision, precision, recall } = evaluateHard([annotate([A!])], [predict([])]);
    expect([averagePrecision, precision[999], recall[999]]).toEqual([0, Number.NaN, 0]);
    expect(evaluateHard([annotate([A!], [0])], [predict([[...A!, 1]])]).averagePrecision).toBeNull();
  });

  test('the area takes the best precision at a recall or beyond', () => {
    const area = areaUnderCurve(Float64Array.of(0.1, 0.4, 0.5), Float64Array.of(0.5, 0.8, 0.2));
    expect(area).toBeCloseTo(0.1 * 0.8 + 0.3 * 0.8 + 0.1 * 0.2, 15);
  });
});

/** The definition, threshold by threshold and box by box, without any of the shortcuts. */
function evaluatePlainly(images: readonly AnnotatedImage[], predictions: readonly Predictions[]): number {
  const all = predictions.flatMap(({ scores }) => [...scores]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  let total = 0;
  for (const { counted } of images) for (const value of counted.hard!) total += value;
  const curve: { precision: number; recall: number }[] = [];
  for (let t = 0; t < THRESHOLDS; t++) {
    const threshold = 1 - (t + 1) / THRESHOLDS;
    let proposals = 0;
    let hits = 0;
    for (const [i, image] of images.entries()) {
      const { boxes, scores } = predictions[i]!;
      const reaching = [...scores].map((score) => (score - low) / (high - low) >= threshold);
      const found = new Set<number>();
      // rows before the last that reaches the threshold count, in whatever order a file has them
      for (let p = 0; p <= reaching.lastIndexOf(true); p++) {
        const overlaps = Array.from({ length: image.boxes.length / 4 }, (_, g) =>
          pixelOverlap(boxes.subarray(p * 4, p * 4 + 4), image.boxes.subarray(g * 4, g * 4 + 4)),
        );
        if (overlaps.length === 0) continue;
        const best = Math.max(...overlaps);
        const face = overlaps.indexOf(best);
        if (best < 0.5) proposals++;
        else if (image.counted.hard![face] === 1) {
          proposals++;
          found.add(face);
        }
      }
      hits += found.size;
    }
    curve.push({ precision: proposals === 0 ? 0 : hits / proposals, recall: hits / total });
  }
  let area = 0;
  let before = 0;
  for (const [t, { recall }] of curve.entries()) {
    area += (recall - before) * Math.max(...curve.slice(t).map(({ precision }) => precision));
    before = recall;
  }
  return area;
}

/** Shared pixels over covered pixels, counted one by one: boxes have whole numbers. */
function pixelOverlap(a: Float64Array, b: Float64Array): number {
  const pixels = ([x, y, width, height]: Float64Array) => {
    const covered = new Set<number>();
    for (let row = y!; row <= y! + height!; row++) {
      for (let column = x!; column <= x! + width!; column++) covered.add(row * 1000 + column);
    }
    return covered;
  };
  const [first, second] = [pixels(a), pixels(b)];
  const shared = [...first].filter((pixel) => second.has(pixel)).length;
  return shared / (first.size + second.size - shared);
}

describe('random images agree with the definition', () => {
  test.each([...Array(12).keys()])('seed %i', (seed) => {
    const rng = createRng(seed);
    const box = (): Box => [rng.int(0, 12), rng.int(0, 12), rng.int(2, 7), rng.int(2, 7)];
    const images = Array.from({ length: 4 }, () => {
      const boxes = Array.from({ length: rng.int(0, 4) }, box);
      return annotate(
        boxes,
        boxes.map(() => rng.int(0, 1)),
      );
    });
    images.push(annotate([[0, 0, 3, 3]]));
    const predictions = images.map(({ boxes }) => {
      const rows = Array.from({ length: rng.int(1, 6) }, (): [...box: Box, score: number] => {
        const g = rng.int(0, boxes.length / 4);
        // a face, a little off, or anything
        const base = g * 4 < boxes.length ? ([...boxes.subarray(g * 4, g * 4 + 4)] as unknown as Box) : box();
        return [base[0] + rng.int(0, 1), base[1], base[2], base[3], rng.int(0, 40) / 40];
      });
      // mostly sorted, as detectors write them
      return predict(seed % 3 === 0 ? rows : rows.sort((a, b) => b[4] - a[4]));
    });
    const { averagePrecision } = evaluateHard(images, predictions);
    expect(averagePrecision).toBeCloseTo(evaluatePlainly(images, predictions), 12);
  });
});

withData('the real annotations', () => {
  test('found with themselves', async () => {
    const { settings, images } = await openDataset(join(dataDir!, 'widerface'));
    const { uniform } = createRng(1);
    const itself = images.map(({ boxes }): Predictions => {
      const scores = Float64Array.from({ length: boxes.length / 4 }, () => uniform(0, 1));
      return { boxes, scores: scores.sort().reverse() };
    });
    const results = evaluatePredictions(settings, images, itself);
    // some faces are annotated twice
    for (const { averagePrecision } of results) expect(averagePrecision).toBeGreaterThan(0.999);
    const nothing = images.map(() => ({ boxes: new Float64Array(), scores: new Float64Array() }));
    for (const { averagePrecision } of evaluatePredictions(settings, images, nothing)) expect(averagePrecision).toBe(0);
  });
});
