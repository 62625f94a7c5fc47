import assert from 'node:assert/strict';
import type { Face } from '../../src/common/face.ts';

export interface Tolerance {
  readonly abs?: number;
  readonly rel?: number;
  /** Why this much is right, for the reader of a failure. */
  readonly reason: string;
}

/** Passes when every element is within `abs` or within `rel` of what is expected; NaN and missing elements never are. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { abs = 0, rel = 0, reason }: Tolerance,
): void {
  const problems: string[] = [];
  if (actual.length !== expected.length) {
    problems.push(`expected ${expected.length} elements, got ${actual.length}`);
  }
  let bad = 0;
  let first = -1;
  let worst = -1;
  let worstError = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    if (error > worstError) {
      worstError = error;
      worst = i;
    }
    const allowed = Math.max(abs, rel * Math.abs(expected[i]!));
    if (actual[i] === expected[i] || (Number.isFinite(error) && error <= allowed)) continue;
    if (bad++ === 0) first = i;
  }
  if (bad > 0) {
    problems.push(
      `${bad} of ${expected.length} elements differ by more than abs ${abs}, rel ${rel} (${reason})`,
      `first at [${first}]: expected ${expected[first]}, got ${actual[first]}`,
      worst < 0
        ? 'max abs error: none measurable'
        : `max abs error ${worstError} at [${worst}]: expected ${expected[worst]}, got ${actual[worst]}`,
    );
  }
  if (problems.length > 0) assert.fail(problems.join('\n'));
}

export interface FaceTolerance {
  readonly score?: number;
  readonly pixels?: number;
}

/** Passes for the same faces in the same order; neighbours whose scores differ by less than the tolerance may swap. */
export function expectSameFaces(
  actual: readonly Face[],
  expected: readonly Face[],
  { score = 1e-4, pixels = 0.05 }: FaceTolerance = {},
): void {
  const problems: string[] = [];
  if (actual.length !== expected.length) problems.push(`expected ${expected.length} faces, got ${actual.length}`);

  const unused = new Set(actual.keys());
  const matches = expected.map((face, i) => {
    const match = bestMatch(face, i, actual, unused, pixels);
    if (match !== undefined) unused.delete(match);
    return match;
  });

  for (const [i, match] of matches.entries()) {
    const face = expected[i]!;
    if (match === undefined) {
      problems.push(`expected[${i}] is missing: ${formatFace(face)}`);
      continue;
    }
    const found = actual[match]!;
    const reasons: string[] = [];
    const scoreError = Math.abs(found.score - face.score);
    const boxError = maxDistance(found.box, face.box);
    const keypointError = maxDistance(found.keypoints?.flat() ?? [], face.keypoints?.flat() ?? []);
    if (!(scoreError <= score)) reasons.push(`score off by ${scoreError} > ${score}`);
    if (!(boxError <= pixels)) reasons.push(`box off by ${boxError} > ${pixels} px`);
    if (!(keypointError <= pixels)) reasons.push(`keypoints off by ${keypointError} > ${pixels} px`);
    const overtaken = expected.findIndex(
      (other, k) => k < i && matches[k]! > match && !(Math.abs(other.score - face.score) <= score),
    );
    if (overtaken >= 0) reasons.push(`comes before expected[${overtaken}]`);
    if (reasons.length === 0) continue;
    problems.push(
      `expected[${i}] ${formatFace(face)}\n  actual[${match}] ${formatFace(found)}\n  ${reasons.join('; ')}`,
    );
  }
  for (const i of unused) problems.push(`actual[${i}] is not expected: ${formatFace(actual[i]!)}`);
  if (problems.length > 0) assert.fail(problems.join('\n'));
}

/** The unused face with the nearest box; of several within the tolerance, the one with the nearest score, then place. */
function bestMatch(
  face: Face,
  index: number,
  candidates: readonly Face[],
  unused: ReadonlySet<number>,
  pixels: number,
): number | undefined {
  const cost = (j: number): [number, number, number] => {
    const candidate = candidates[j]!;
    const distance = maxDistance(candidate.box, face.box);
    return [distance <= pixels ? 0 : distance, Math.abs(candidate.score - face.score), Math.abs(j - index)];
  };
  let best: number | undefined;
  let bestCost: [number, number, number] | undefined;
  for (const j of unused) {
    const c = cost(j);
    if (bestCost && (c[0] - bestCost[0] || c[1] - bestCost[1] || c[2] - bestCost[2]) >= 0) continue;
    best = j;
    bestCost = c;
  }
  return best;
}

/** Largest difference of two coordinates; infinite when their number differs or one is NaN. */
function maxDistance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const distance = a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
  return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
}

function formatFace({ score, box, keypoints }: Face): string {
  const points = keypoints?.map((point) => `(${point.map((value) => value.toFixed(2)).join(', ')})`).join(' ');
  return `${score.toFixed(6)} [${box.map((value) => value.toFixed(2)).join(', ')}]${points ? ` ${points}` : ''}`;
}
