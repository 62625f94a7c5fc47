import { beforeAll, describe, expect, it } from 'vitest';
import { type AffineMatrix, invertAffine, warpAffine, warpSteps } from '../../../src/kernels/alignment/warp-affine.ts';
import { MAX_WORKGROUPS } from '../../../src/kernels/dispatch.ts';
import { slowAdapter } from '../../support/gpu.ts';
import { loadOpenCv, warpOpenCv } from '../../support/reference-letterbox.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

/** A similarity that shows `shown` pixels of the picture's side in a crop of `size`, turned and moved at random. */
function randomMatrix(rng: Rng, width: number, height: number, size: number): AffineMatrix {
  const scale = size / rng.uniform(8, 2 * Math.max(width, height));
  const angle = rng.uniform(-Math.PI, Math.PI);
  const [c, s] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  const [x, y] = [rng.uniform(-0.2, 1.2) * width, rng.uniform(-0.2, 1.2) * height];
  return [c, -s, size / 2 - c * x + s * y, s, c, size / 2 - s * x - c * y];
}

function rgbOf(rgba: Uint8Array): Uint8Array {
  return rgba.filter((_, i) => i % 4 !== 3);
}

describe('invertAffine', () => {
  it('undoes the map', () => {
    const rng = createRng(1);
    for (let i = 0; i < 50; i++) {
      const [a, b, c, d, e, f] = randomMatrix(rng, 100, 80, 112);
      const inverse = invertAffine([a, b, c, d, e, f]);
      const [x, y] = [rng.uniform(0, 100), rng.uniform(0, 100)];
      const [u, v] = [a * x + b * y + c, d * x + e * y + f];
      expect(inverse[0] * u + inverse[1] * v + inverse[2]).toBeCloseTo(x, 8);
      expect(inverse[3] * u + inverse[4] * v + inverse[5]).toBeCloseTo(y, 8);
    }
  });

  it('refuses a singular map', () => {
    expect(() => invertAffine([1, 2, 0, 2, 4, 0])).toThrow('expected one that can be inverted');
  });
});

describe('warpAffine', () => {
  beforeAll(loadOpenCv);

  it('states its bindings and workgroups', () => {
    const spec = { width: 10, height: 8, channels: 3, rowBytes: 30, blueFirst: false, count: 3, size: 112 } as const;
    const { bindingBytes, workgroups } = warpAffine(spec);
    expect(bindingBytes).toEqual([4, 3 * 112 * 16, 3 * 112 * 112 * 4]);
    expect(workgroups).toEqual([14, 14, 3]);
  });

  it.each([2048, 12800])('side %i stays within the workgroups of a dimension', (size) => {
    const spec = { width: 9, height: 9, channels: 3, rowBytes: 27, blueFirst: false, count: 1, size } as const;
    expect(Math.max(...warpAffine(spec).workgroups)).toBeLessThanOrEqual(MAX_WORKGROUPS);
  });

  it.each<[number, number, 3 | 4, number, number]>([
    [200, 150, 3, 112, 5],
    [151, 203, 4, 112, 3],
    [64, 64, 3, 224, 3],
    [640, 480, 3, 128, 4],
    [33, 1, 3, 256, 2],
    [1, 1, 4, 112, 1],
    [50, 40, 3, slowAdapter ? 896 : 2048, 1],
  ])(
    '%i×%i×%i to %i is OpenCV’s warpAffine bit for bit, %i faces at once',
    async (width, height, channels, size, count) => {
      const rng = createRng(width + size);
      const data = rng.bytes(width * height * channels);
      const matrices = Array.from({ length: count }, () => randomMatrix(rng, width, height, size));
      const words = new Uint8Array(Math.ceil(data.length / 4) * 4 + 4);
      words.set(data);
      const spec = { width, height, channels, rowBytes: width * channels, blueFirst: false, count, size };
      const output = new Uint8Array(await runDispatch(warpAffine(spec), [words, warpSteps(matrices, size)]));
      expect(output.length).toBe(count * size * size * 4);
      matrices.forEach((matrix, n) => {
        const crop = output.subarray(n * size * size * 4, (n + 1) * size * size * 4);
        const warped = warpOpenCv({ data, width, height }, channels, matrix, size);
        const expected = channels === 4 ? rgbOf(warped) : warped;
        expect(
          rgbOf(crop).findIndex((value, i) => value !== expected[i]),
          `first difference in crop ${n}`,
        ).toBe(-1);
      });
    },
  );

  it.each<[string, AffineMatrix]>([
    ['a copy', [1, 0, 0, 0, 1, 0]],
    ['whole pixels', [1, 0, -7, 0, 1, 5]],
    ['half pixels, where sums round', [1, 0, 0.5, 0, 1, -0.5]],
    ['a quarter turn', [0, -1, 80, 1, 0, 0]],
    ['a reflection', [-1, 0, 100, 0, 1, 0]],
    ['a shear', [1.3, 0.4, -20, -0.2, 0.7, 11]],
    ['twice the size', [2, 0, 0, 0, 2, 0]],
    ['the picture within one pixel', [0.001, 0, 50, 0, 0.001, 50]],
    ['all beyond the picture', [1, 0, 500, 0, 1, 500]],
  ])('%s is OpenCV’s too', async (_, matrix) => {
    const [width, height, size] = [100, 80, 112];
    const data = createRng(4).bytes(width * height * 3 + 4);
    const layout = { width, height, channels: 3, rowBytes: width * 3, blueFirst: false } as const;
    const output = await runDispatch(warpAffine({ ...layout, count: 1, size }), [data, warpSteps([matrix], size)]);
    const image = { data: data.subarray(0, -4), width, height };
    expect(rgbOf(new Uint8Array(output))).toEqual(warpOpenCv(image, 3, matrix, size));
  });

  it('reads blue before red, and rows that are further apart than they are long', async () => {
    const rng = createRng(3);
    const [width, height, size, rowBytes] = [50, 40, 112, 256];
    const rgb = rng.bytes(width * height * 3);
    const data = rng.bytes(rowBytes * height + 4);
    for (let i = 0; i < width * height; i++) {
      const [r, g, b] = rgb.subarray(i * 3, i * 3 + 3);
      data.set([b!, g!, r!], Math.floor(i / width) * rowBytes + (i % width) * 4);
    }
    const matrix = randomMatrix(rng, width, height, size);
    const spec = { width, height, channels: 4, rowBytes, blueFirst: true, count: 1, size } as const;
    const output = new Uint8Array(await runDispatch(warpAffine(spec), [data, warpSteps([matrix], size)]));
    expect(rgbOf(output)).toEqual(warpOpenCv({ data: rgb, width, height }, 3, matrix, size));
  });
});
