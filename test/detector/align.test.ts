import { beforeAll, describe, expect, test } from 'vitest';
import {
  alignmentMatrix,
  arcfaceTemplate,
  createDetector,
  estimateSimilarity,
  readImage,
} from '../../src/index.node.ts';
import { imageNamed, modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { loadOpenCv, warpOpenCv } from '../support/reference-letterbox.ts';
import { createRng } from '../support/rng.ts';

type Point = readonly [number, number];

describe('arcfaceTemplate', () => {
  test('112, 128 and multiples, as insightface scales them', () => {
    expect(arcfaceTemplate(112)[0]).toEqual([38.2946, 51.6963]);
    expect(arcfaceTemplate(224)[2]).toEqual([112.0504, 143.4732]);
    expect(arcfaceTemplate(128)[0]).toEqual([46.2946, 51.6963]);
    expect(arcfaceTemplate(256)[0]).toEqual([92.5892, 103.3926]);
  });

  test.each([0, 100, 112.5, -112, Number.NaN, 112 * 1e7, '112' as never, null as never])('%d is refused', (size) => {
    expect(() => arcfaceTemplate(size)).toThrow(`size: expected a multiple of 112 or 128 up to 16384, got ${size}`);
  });
});

describe('estimateSimilarity', () => {
  test('finds the map that made the points', () => {
    const rng = createRng(1);
    for (let i = 0; i < 100; i++) {
      const [scale, angle, dx, dy] = [rng.uniform(0.01, 9), rng.uniform(-4, 4), rng.normal() * 99, rng.normal() * 99];
      const [c, s] = [scale * Math.cos(angle), scale * Math.sin(angle)];
      const from = Array.from({ length: 5 }, (): Point => [rng.uniform(0, 500), rng.uniform(0, 500)]);
      const to = from.map(([x, y]): Point => [c * x - s * y + dx, s * x + c * y + dy]);
      const expected = [c, -s, dx, s, c, dy];
      estimateSimilarity(from, to).forEach((value, k) => {
        expect(value).toBeCloseTo(expected[k]!, 6);
      });
    }
  });

  test('is the least-squares answer: no nearby similarity is nearer', () => {
    const rng = createRng(2);
    const error = (m: readonly number[], from: readonly Point[], to: readonly Point[]) =>
      from.reduce((sum, [x, y], i) => {
        const [ex, ey] = [m[0]! * x + m[1]! * y + m[2]! - to[i]![0], m[3]! * x + m[4]! * y + m[5]! - to[i]![1]];
        return sum + ex * ex + ey * ey;
      }, 0);
    for (let i = 0; i < 50; i++) {
      const points = () => Array.from({ length: 5 }, (): Point => [rng.uniform(0, 100), rng.uniform(0, 100)]);
      const [from, to] = [points(), points()];
      const [c, , x, s, , y] = estimateSimilarity(from, to);
      const best = error([c, -s, x, s, c, y], from, to);
      for (let k = 0; k < 20; k++) {
        const [dc, ds] = [rng.normal() * 1e-3, rng.normal() * 1e-3];
        const near = [c + dc, -s - ds, x + rng.normal() * 0.1, s + ds, c + dc, y + rng.normal() * 0.1];
        expect(error(near, from, to)).toBeGreaterThanOrEqual(best);
      }
    }
  });

  test('a mirrored face is not mirrored back', () => {
    const mirrored = arcfaceTemplate(112).map(([x, y]): Point => [112 - x, y]);
    const [a, b, , d, e] = alignmentMatrix(mirrored, 112);
    expect(a * e - b * d).toBeGreaterThan(0);
  });

  test('points at one place, or none, are refused', () => {
    const same = Array.from({ length: 5 }, (): Point => [3, 4]);
    expect(() => alignmentMatrix(same, 112)).toThrow('expected finite points at different places');
    expect(() => alignmentMatrix(same.slice(1), 112)).toThrow('expected 5 points, got 4');
    expect(() => alignmentMatrix([[Number.NaN, 0], ...same.slice(1)], 112)).toThrow('expected finite points');
  });
});

withData('alignFaces', () => {
  beforeAll(loadOpenCv);

  test.each([112, 224, 128])('crops of a group, side %i, are OpenCV’s', async (size) => {
    const { device } = await openGpu();
    const options = { device, inputSize: [640, 448] } as const;
    await using detector = await createDetector(modelNamed('scrfd_500m_kps.onnx'), options);
    const image = await readImage(imageNamed('insightface_t1.jpg'));
    const faces = await detector.detect(image);
    expect(faces.length).toBeGreaterThan(4);
    const [crops, again] = await Promise.all([
      detector.alignFaces(image, faces, { size }),
      detector.detect(image).then(() => detector.alignFaces(image, faces, { size })),
    ]);
    expect(again).toEqual(crops);
    crops.forEach((crop, i) => {
      expect(crop).toMatchObject({ width: size, height: size, channels: 3 });
      const expected = warpOpenCv(image, 3, alignmentMatrix(faces[i]!.keypoints!, size), size);
      expect(Buffer.compare(crop.data as Uint8Array, expected), `crop ${i}`).toBe(0);
    });
    // in an aligned crop the same model finds the keypoints on the template
    const small = await detector.detect(crops[0]!, { inputSize: [128, 128] });
    const template = arcfaceTemplate(size);
    small[0]!.keypoints!.forEach(([x, y], k) => {
      expect(Math.hypot(x - template[k]![0], y - template[k]![1])).toBeLessThan(size / 10);
    });
  });

  test('checks its arguments', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(modelNamed('det_500m.onnx'), { device, inputSize: [64, 64] });
    const image = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 } as const;
    const keypoints = arcfaceTemplate(112);
    expect(await detector.alignFaces(image, [])).toEqual([]);
    await expect(detector.alignFaces(image, [{}])).rejects.toThrow('faces[0]: expected five keypoints, got none');
    await expect(detector.alignFaces(image, [{ keypoints }], { size: 100 })).rejects.toThrow(RangeError);
    expect(await detector.alignFaces(image, [{ keypoints }])).toHaveLength(1);
  });
});
