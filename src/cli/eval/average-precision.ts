import type { AnnotatedImage, Setting } from './ground-truth.ts';
import type { Predictions } from './predictions.ts';

/** Score thresholds of the official curves: 0.999, 0.998, … 0. */
export const THRESHOLDS = 1000;
const IOU_THRESHOLD = 0.5;

export interface SettingResult {
  readonly setting: Setting;
  /** Area under the interpolated precision-recall curve, 0 to 1; null where no face counts. */
  readonly averagePrecision: number | null;
  /** Faces that count. */
  readonly faces: number;
  /** Precision by threshold; NaN where nothing reaches it. */
  readonly precision: Float64Array;
  /** Recall by threshold. */
  readonly recall: Float64Array;
}

/**
 * The official WIDER FACE evaluation, number by number in float64. Source: `evaluation.py` of the GitHub repository
 * wondervictor/WiderFace-Evaluation, a port of the MATLAB tools.
 * @param predictions one entry an image, in the same order
 */
export function evaluatePredictions(
  settings: readonly Setting[],
  images: readonly AnnotatedImage[],
  predictions: readonly Predictions[],
): SettingResult[] {
  const scores = normalizeScores(predictions.map((each) => each.scores));
  const matches = images.map(({ boxes }, i) => matchFaces(predictions[i]!.boxes, boxes));
  return settings.map((setting) => {
    const proposals = new Float64Array(THRESHOLDS);
    const hits = new Float64Array(THRESHOLDS);
    let faces = 0;
    for (const [i, { counted }] of images.entries()) {
      const mask = counted[setting]!;
      faces += mask.reduce((sum, value) => sum + value, 0);
      // what is found in an image without annotations is no mistake either
      if (mask.length > 0) addImage(matches[i]!, scores[i]!, mask, proposals, hits);
    }
    const precision = hits.map((value, t) => value / proposals[t]!);
    const recall = hits.map((value) => value / faces);
    const averagePrecision = faces === 0 ? null : areaUnderCurve(recall, precision);
    return { setting, averagePrecision, faces, precision, recall };
  });
}

/** Stretches the scores of all images to [0, 1]; where there is but one score it becomes 1. */
export function normalizeScores(scores: readonly Float64Array[]): Float64Array[] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const image of scores) {
    for (const score of image) {
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
  }
  return scores.map((image) => image.map((score) => (high === low ? 1 : (score - low) / (high - low))));
}

/** For each prediction the face that it overlaps most, the first of equals; -1 where that is less than by half. */
function matchFaces(predicted: Float64Array, annotated: Float64Array): Int32Array {
  return Int32Array.from({ length: predicted.length / 4 }, (_, p) => {
    let best = -1;
    let bestOverlap = 0;
    for (let g = 0; g < annotated.length / 4; g++) {
      const overlap = overlapOf(predicted, p * 4, annotated, g * 4);
      if (overlap > bestOverlap) [best, bestOverlap] = [g, overlap];
    }
    return bestOverlap >= IOU_THRESHOLD ? best : -1;
  });
}

/** Intersection over union of boxes that include their last pixel. */
function overlapOf(a: Float64Array, i: number, b: Float64Array, j: number): number {
  const side = (axis: 0 | 1) => {
    const [endA, endB] = [a[i + axis + 2]! + a[i + axis]!, b[j + axis + 2]! + b[j + axis]!];
    return {
      a: endA - a[i + axis]! + 1,
      b: endB - b[j + axis]! + 1,
      shared: Math.min(endA, endB) - Math.max(a[i + axis]!, b[j + axis]!) + 1,
    };
  };
  const [x, y] = [side(0), side(1)];
  if (!(x.shared > 0 && y.shared > 0)) return 0;
  const shared = x.shared * y.shared;
  return shared / (x.a * y.a + x.b * y.b - shared);
}

/** Adds one image's proposals and hits at every threshold. */
function addImage(
  matches: Int32Array,
  scores: Float64Array,
  counted: Uint8Array,
  proposals: Float64Array,
  hits: Float64Array,
): void {
  // up to and including each prediction: those that are not excused, and faces that are found
  const proposed = new Int32Array(matches.length);
  const found = new Int32Array(matches.length);
  const seen = new Uint8Array(counted.length);
  for (const [p, match] of matches.entries()) {
    const excused = match >= 0 && counted[match] === 0;
    const hit = match >= 0 && !excused && seen[match] === 0;
    if (hit) seen[match] = 1;
    proposed[p] = (proposed[p - 1] ?? 0) + (excused ? 0 : 1);
    found[p] = (found[p - 1] ?? 0) + (hit ? 1 : 0);
  }
  const lasts = lastToReach(scores);
  let last = -1;
  for (let t = 0; t < THRESHOLDS; t++) {
    const threshold = 1 - (t + 1) / THRESHOLDS;
    while (lasts.length > 0 && scores[lasts.at(-1)!]! >= threshold) last = lasts.pop()!;
    if (last < 0) continue;
    proposals[t]! += proposed[last]!;
    hits[t]! += found[last]!;
  }
}

/** Predictions that outscore all later ones, the last first. At a threshold everything before one of them counts. */
function lastToReach(scores: Float64Array): number[] {
  const lasts: number[] = [];
  for (let i = scores.length - 1; i >= 0; i--) {
    if (lasts.length === 0 || scores[i]! > scores[lasts.at(-1)!]!) lasts.push(i);
  }
  return lasts;
}

/** Sums recall steps times the best precision at that recall or beyond, as Pascal VOC does. */
export function areaUnderCurve(recall: Float64Array, precision: Float64Array): number {
  const recalls = [0, ...recall, 1];
  const envelope = [0, ...precision, 0];
  // Math.max keeps a NaN, as numpy does; it stands where recall is still 0 and has no weight
  for (let i = envelope.length - 1; i > 0; i--) envelope[i - 1] = Math.max(envelope[i - 1]!, envelope[i]!);
  let area = 0;
  for (let i = 1; i < recalls.length; i++) {
    if (recalls[i] !== recalls[i - 1]) area += (recalls[i]! - recalls[i - 1]!) * envelope[i]!;
  }
  return area;
}
