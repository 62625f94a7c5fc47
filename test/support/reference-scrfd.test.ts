import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { Face } from '../../src/common/face.ts';
import type { Pixels } from '../../src/common/image.ts';
import { expectSameFaces } from './compare.ts';
import { disposeOrt, type OrtTensor } from './ort.ts';
import { transpose } from './reference-ops.ts';
import {
  type Candidate,
  decodeOutputs,
  detectReference,
  nms,
  type ReferenceOptions,
  selectFaces,
} from './reference-scrfd.ts';
import { createRng } from './rng.ts';

const folder = process.env.SCRFD_DATA;

function candidate(anchor: number, score: number, box: Face['box']): Candidate {
  return { anchor, score, box };
}

function zeros(...dims: number[]): OrtTensor {
  return { dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) };
}

describe('decodeOutputs', () => {
  it('puts centres on cell corners and scales distances by the stride', () => {
    const outputs = [
      ...[128, 32, 8].map((n) => zeros(1, n, 1)),
      ...[128, 32, 8].map((n) => zeros(1, n, 4)),
      ...[128, 32, 8].map((n) => zeros(1, n, 10)),
    ];
    // Level 1 (stride 16), 4 cells across: row 13 is the second anchor of y 1, x 2.
    outputs[1]!.data[13] = 0.75;
    outputs[4]!.data.set([1, 2, 3, 0.5], 13 * 4);
    outputs[7]!.data.set([1, -1, 0, 0, 0, 0, 0, 0, 2, 3], 13 * 10);
    expect(decodeOutputs(outputs, { inputSize: [64, 64], detScale: 0.5 })).toEqual([
      {
        anchor: 128 + 13,
        score: 0.75,
        box: [(32 - 16) * 2, (16 - 32) * 2, (32 + 48) * 2, (16 + 8) * 2],
        keypoints: [
          [96, 0],
          [64, 32],
          [64, 32],
          [64, 32],
          [128, 128],
        ],
      },
    ]);
  });

  it.each([
    [6, 3, 2],
    [9, 3, 2],
    [10, 5, 1],
    [15, 5, 1],
  ])('reads %i outputs in every layout', (count, levels, anchors) => {
    const rng = createRng(count);
    const [width, height] = [256, 128];
    const planar: OrtTensor[] = [];
    for (const channels of [1, 4, 10].slice(0, count / levels)) {
      for (let level = 0; level < levels; level++) {
        const dims = [1, anchors * channels, height >> (3 + level), width >> (3 + level)];
        planar.push({
          dims,
          data: rng.floats(
            dims.reduce((a, b) => a * b, 1),
            channels === 1 ? 0 : -2,
            channels === 1 ? 1 : 4,
          ),
        });
      }
    }
    const rows = planar.map((tensor) => {
      const data = Float32Array.from(transpose(tensor, [0, 2, 3, 1]).data);
      const channels = tensor.dims[1]! / anchors;
      return { dims: [data.length / channels, channels], data };
    });
    const batched = rows.map(({ dims, data }) => ({ dims: [1, ...dims], data }));
    const options = { inputSize: [width, height], scoreThreshold: 0.9, detScale: 0.37 } as const;
    const expected = decodeOutputs(rows, options);
    expect(expected.length).toBeGreaterThan(20);
    expect(expected[0]).toHaveProperty('box');
    expect('keypoints' in expected[0]!).toBe(count / levels === 3);
    expect(expected.map((face) => face.anchor)).toEqual(expected.map((face) => face.anchor).sort((a, b) => a - b));
    expect(decodeOutputs(batched, options)).toEqual(expected);
    expect(decodeOutputs(planar, options)).toEqual(expected);
  });

  it('compares with the threshold as float32', () => {
    const outputs = [128, 32, 8].map((n) => zeros(n, 1)).concat([128, 32, 8].map((n) => zeros(n, 4)));
    outputs[0]!.data.fill(0.3);
    expect(decodeOutputs(outputs, { inputSize: [64, 64], scoreThreshold: 0.3 })).toHaveLength(128);
  });

  it('refuses what it does not know', () => {
    expect(() => decodeOutputs([zeros(1)], { inputSize: [64, 64] })).toThrow('got 1');
    expect(() => decodeOutputs(Array(6).fill(zeros(8, 1)), { inputSize: [64, 64] })).toThrow('128×1, got 8×1');
  });
});

describe('nms', () => {
  it('sorts by score, then anchor', () => {
    const far = (i: number): Face['box'] => [i * 100, 0, i * 100 + 10, 10];
    const input = [candidate(5, 0.5, far(0)), candidate(9, 0.9, far(1)), candidate(2, 0.5, far(2))];
    expect(nms(input).map((face) => face.anchor)).toEqual([9, 2, 5]);
  });

  it('keeps what overlaps by exactly the threshold, with the one-pixel convention', () => {
    // 10×10 and 10×10 pixels, 5 columns shared: 50 / 150.
    const pair = [candidate(0, 0.9, [0, 0, 9, 9]), candidate(1, 0.8, [5, 0, 14, 9])];
    expect(nms(pair, 1 / 3)).toHaveLength(2);
    expect(nms(pair, 0.333)).toHaveLength(1);
  });

  it('does not let a dropped box drop others', () => {
    const chain = [0, 4, 8].map((x, i) => candidate(i, 0.9 - i / 10, [x, 0, x + 9, 9]));
    expect(nms(chain).map((face) => face.anchor)).toEqual([0, 2]);
  });
});

describe('selectFaces', () => {
  const size = { width: 201, height: 101 };
  const corner: Face = { score: 0.9, box: [0, 0, 30, 30] };
  const center: Face = { score: 0.7, box: [90, 40, 110, 60] };
  const small: Face = { score: 0.8, box: [95, 45, 105, 55] };

  it('prefers large and central faces', () => {
    expect(selectFaces([corner, small, center], size, { maxFaces: 2 })).toEqual([center, small]);
  });

  it('or just large ones', () => {
    expect(selectFaces([small, center, corner], size, { maxFaces: 2, maxFacesMetric: 'max' })).toEqual([
      corner,
      center,
    ]);
  });

  it('leaves fewer as they are', () => {
    expect(selectFaces([small, corner], size, { maxFaces: 2 })).toEqual([small, corner]);
    expect(selectFaces([small, corner], size, { maxFaces: 0 })).toEqual([small, corner]);
  });
});

describe.skipIf(!folder)('detectReference on real files (SCRFD_DATA)', () => {
  afterAll(disposeOrt);

  const readPixels = async (name: string): Promise<Pixels> => {
    const image = sharp(path.join(folder!, 'images', name))
      .rotate()
      .toColourspace('srgb')
      .removeAlpha();
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height, channels: 3 };
  };

  const detect = async (model: string, image: string, options: Partial<ReferenceOptions> = {}) =>
    detectReference(path.join(folder!, 'models', model), await readPixels(image), {
      inputSize: [640, 640],
      ...options,
    });

  it.each([
    ['scrfd_500m_kps.onnx', true],
    ['scrfd_2.5g_kps_renamed_opset12.onnx', true],
    ['det_500m.onnx', true],
    ['scrfd_1g.onnx', false],
  ])('%s finds the astronaut', async (model, hasKeypoints) => {
    const faces = await detect(model, 'astronaut_nasa.png');
    expect(faces).toHaveLength(1);
    const [x1, y1, x2, y2] = faces[0]!.box;
    const keypoints = faces[0]!.keypoints;
    expect(keypoints?.length).toBe(hasKeypoints ? 5 : undefined);
    for (const [x, y] of keypoints ?? []) {
      expect(x > x1 && x < x2 && y > y1 && y < y2, `(${x}, ${y}) in ${faces[0]!.box}`).toBe(true);
    }
    expect(x2 - x1 > 50 && x2 - x1 < 150 && y2 - y1 > 60 && y2 - y1 < 200, `${faces[0]!.box}`).toBe(true);
  });

  it.each(['noface_cat_chelsea.png', 'noface_coffee.png'])('%s has no face', async (image) => {
    expect(await detect('scrfd_500m_kps.onnx', image)).toEqual([]);
  });

  it('finds the same with a dynamic and a baked input size', async () => {
    const options = { inputSize: [320, 320] } as const;
    const dynamic = await detect('scrfd_500m_kps.onnx', 'insightface_t1.jpg', options);
    expect(dynamic.length).toBeGreaterThan(3);
    expectSameFaces(await detect('scrfd_500m_kps_static320.onnx', 'insightface_t1.jpg', options), dynamic);
  });

  it('reads the person model', async () => {
    const people = await detect('scrfd_person_2.5g.onnx', 'astronaut_nasa.png', { iouThreshold: 0.5 });
    expect(people.length).toBeGreaterThan(0);
    const [x1, y1, x2, y2] = people[0]!.box;
    expect(y2 - y1, `${[x1, y1, x2, y2]}`).toBeGreaterThan(300);
  });

  it('limits a crowd', async () => {
    const crowd = await detect('scrfd_500m_kps.onnx', 'worlds_largest_selfie_progressive.jpg');
    expect(crowd.length).toBeGreaterThan(5);
    const options = { maxFaces: 3, maxFacesMetric: 'max' } as const;
    const largest = await detect('scrfd_500m_kps.onnx', 'worlds_largest_selfie_progressive.jpg', options);
    expect(largest).toHaveLength(3);
    const area = ({ box: [x1, y1, x2, y2] }: Face) => (x2 - x1) * (y2 - y1);
    expect(area(largest[0]!)).toBe(Math.max(...crowd.map(area)));
  });
});
