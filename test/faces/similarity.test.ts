import { describe, expect, it } from 'vitest';
import { alignmentMatrix, arcfaceTemplate, estimateSimilarity } from '../../src/faces/similarity.ts';
import { invertAffine } from '../../src/kernels/alignment/warp-affine.ts';
import { createRng } from '../support/rng.ts';

type Point = readonly [number, number];
type Matrix = readonly [number, number, number, number];

function multiply([a, b, c, d]: Matrix, [e, f, g, h]: Matrix): Matrix {
  return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
}

function transpose([a, b, c, d]: Matrix): Matrix {
  return [a, c, b, d];
}

function determinant([a, b, c, d]: Matrix): number {
  return a * d - b * c;
}

/** M = U·diag(values)·Vᵀ, by the rotation that makes the columns of M·V orthogonal; the larger value first. */
function decompose(m: Matrix): { u: Matrix; values: Point; vt: Matrix } {
  const [p, q, , r] = multiply(transpose(m), m);
  // turns to the larger eigenvalue
  const angle = Math.atan2(2 * q, p - r) / 2;
  const v: Matrix = [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)];
  const [a, b, c, d] = multiply(m, v);
  const [first, second] = [Math.hypot(a, c), Math.hypot(b, d)];
  // of a matrix of rank 1 any unit vector across the first column does
  const u: Matrix =
    second > first * 1e-12
      ? [a / first, b / second, c / first, d / second]
      : [a / first, -c / first, c / first, a / first];
  return { u, values: [first, second], vt: transpose(v) };
}

/** Umeyama 1991, equations 34 to 43: matrices, singular values and signs, as scikit-image follows it. */
function estimateUmeyama(from: readonly Point[], to: readonly Point[]) {
  const count = from.length;
  const mean = (points: readonly Point[], k: 0 | 1) => points.reduce((sum, point) => sum + point[k], 0) / count;
  const [mx, my, nx, ny] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  const covariance = [0, 0, 0, 0];
  let variance = 0;
  from.forEach(([x, y], i) => {
    const [px, py, qx, qy] = [x - mx, y - my, to[i]![0] - nx, to[i]![1] - ny];
    variance += (px * px + py * py) / count;
    [qx * px, qx * py, qy * px, qy * py].forEach((product, k) => {
      covariance[k]! += product / count;
    });
  });
  const { u, values, vt } = decompose(covariance as unknown as Matrix);
  const sign = determinant(u) * determinant(vt) < 0 ? -1 : 1;
  const scale = (values[0] + sign * values[1]) / variance;
  const [a, b, c, d] = multiply(multiply(u, [scale, 0, 0, scale * sign]), vt);
  return { matrix: [a, b, nx - a * mx - b * my, c, d, ny - c * mx - d * my], corrected: sign < 0 };
}

/** Where both maps send the corners of a picture of this side, to 1e-9 pixel. */
function expectSame(actual: readonly number[], expected: readonly number[], side: number): void {
  for (const [x, y] of [
    [0, 0],
    [side, 0],
    [0, side],
  ] as const) {
    for (const k of [0, 3]) {
      const send = (m: readonly number[]) => m[k]! * x + m[k + 1]! * y + m[k + 2]!;
      expect(Math.abs(send(actual) - send(expected)), `row ${k / 3} at ${x}, ${y}`).toBeLessThan(1e-9);
    }
  }
}

describe('estimateSimilarity', () => {
  it('is Umeyama’s by singular values, also where those would mirror', () => {
    const rng = createRng(1);
    let corrections = 0;
    for (let i = 0; i < 500; i++) {
      const side = 10 ** rng.uniform(0, 4);
      const points = (extent: number) =>
        Array.from({ length: 5 }, (): Point => [rng.uniform(0, extent), rng.uniform(0, extent)]);
      const [from, to] = [points(side), points(112)];
      const { matrix, corrected } = estimateUmeyama(from, to);
      expectSame(estimateSimilarity(from, to), matrix, side);
      if (corrected) corrections++;
    }
    expect(corrections).toBeGreaterThan(100);
    expect(corrections).toBeLessThan(400);
  });

  it('is Umeyama’s for points on a line, and for few', () => {
    const rng = createRng(2);
    for (let i = 0; i < 100; i++) {
      const [x, y, dx, dy] = [rng.uniform(0, 99), rng.uniform(0, 99), rng.normal(), rng.normal()];
      const from = [0, 1, 2, 5, 9].map((t): Point => [x + t * dx, y + t * dy]);
      const to = arcfaceTemplate(112);
      for (const count of [5, 2]) {
        const [source, target] = [from.slice(0, count), to.slice(0, count)];
        expectSame(estimateSimilarity(source, target), estimateUmeyama(source, target).matrix, 100);
      }
    }
  });
});

// `SimilarityTransform.estimate` of scikit-image 0.26 in float64, on the template as `face_align.estimate_norm` makes it
const upright: readonly Point[] = [
  [201.5, 150.25],
  [260.75, 141],
  [236, 180.5],
  [214.25, 214.75],
  [262.5, 207],
];
const mirrored = [1, 0, 2, 4, 3].map((i) => upright[i]!);

describe('alignmentMatrix', () => {
  it.each<[string, readonly Point[], number, readonly [number, number, number, number]]>([
    ['a face', upright, 112, [0.6028614097748222, 0.07476878844482764, -72.28508880199246, -53.40121921129521]],
    ['a face', upright, 256, [1.2057228195496441, 0.14953757688965527, -128.57017760398492, -106.80243842259043]],
    [
      'a mirrored face',
      mirrored,
      112,
      [0.12406595507386195, 0.00186359108045794, 27.203684283720282, 49.292249924393246],
    ],
    ['a mirrored face', mirrored, 256, [0.2481319101477239, 0.00372718216091588, 70.40736856744056, 98.58449984878649]],
  ])('%s: %j to %i is scikit-image’s', (_, keypoints, size, [c, s, x, y]) => {
    expectSame(alignmentMatrix(keypoints, size), [c, -s, x, s, c, y], 500);
  });

  it('grows with the size, and gives 128 a margin that 112 has not', () => {
    const back = (size: number) => invertAffine(alignmentMatrix(upright, size));
    const middle = ([a, b, c, d, e, f]: readonly number[], x: number, y: number) => [
      a! * x + b! * y + c!,
      d! * x + e! * y + f!,
    ];
    const [x, y] = middle(back(112), 56, 60);
    for (const [size, u, v] of [
      [224, 112, 120],
      [128, 64, 60],
      [256, 128, 120],
    ] as const) {
      const [p, q] = middle(back(size), u, v);
      expect(Math.hypot(p! - x!, q! - y!), `side ${size}`).toBeLessThan(1e-9);
    }
  });

  it('refuses points that say nothing of a turn', () => {
    const same = Array.from({ length: 5 }, (): Point => [-3, 4e5]);
    expect(() => alignmentMatrix(same, 112)).toThrow(RangeError);
    expect(() => alignmentMatrix([...upright.slice(1), [Number.POSITIVE_INFINITY, 0]], 112)).toThrow('expected finite');
    expect(() => alignmentMatrix([...upright, [0, 0]], 112)).toThrow('expected 5 points, got 6');
    expect(() => alignmentMatrix(upright, 120)).toThrow('size: expected a multiple of 112 or 128 up to 16384, got 120');
  });
});
