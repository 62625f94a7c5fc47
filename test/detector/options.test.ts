import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DetectOptions, mergeOptions, readSettings } from '../../src/detector/options.ts';
import { createDetector, type Pixels, readImage } from '../../src/index.node.ts';
import type { Model } from '../../src/loader/model.ts';
import { expectSameFaces } from '../support/compare.ts';
import { imageNamed, modelNamed, withData } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { disposeOrt } from '../support/ort.ts';
import { loadOpenCv } from '../support/reference-letterbox.ts';
import { detectJointReference, detectReference } from '../support/reference-scrfd.ts';

/** What the options look at: the number of outputs, and the input's shape. */
function modelOf(outputs: number, dims: readonly (number | string)[] = [1, 3, 'h', 'w']): Model {
  return { inputs: [{ name: 'x', dims }], outputs: Array.from({ length: outputs }, () => ({})) } as unknown as Model;
}

describe('readSettings', () => {
  const settings = (options: DetectOptions, model = modelOf(9)) => readSettings(options, model);

  test('defaults are insightface 0.7', () => {
    expect(settings({})).toEqual(settings({ compat: '0.7', inputSize: [640, 640] }));
    expect(settings({})).toMatchObject({
      ...{ sizes: [[640, 640]], fit: 'insightface', interpolation: 'linear', padding: -0.99609375 },
      ...{ scoreThreshold: 0.5, iouThreshold: 0.4, clip: false, includeLastPixel: true },
      ...{ maxFaces: 0, preferCentral: true },
    });
  });

  test.each(['1.0', '2.0'] as const)('insightface %s searches two sizes', (compat) => {
    expect(settings({ compat }).sizes).toEqual([
      [128, 128],
      [640, 640],
    ]);
    expect(settings({ compat, inputSize: [320, 256] }).sizes).toEqual([[320, 256]]);
    expect(settings({ compat }, modelOf(9, [1, 3, 320, 320])).sizes).toEqual([[320, 320]]);
  });

  test('mmdet has conventions of its own, and a threshold to exceed', () => {
    const { scoreThreshold, ...rest } = settings({ compat: 'mmdet' });
    expect(rest).toMatchObject({
      ...{ sizes: [[640, 640]], fit: 'mmdet', padding: 0 },
      ...{ iouThreshold: 0.45, clip: true, includeLastPixel: false },
    });
    expect(Math.fround(scoreThreshold)).toBe(scoreThreshold);
    expect(scoreThreshold).toBeGreaterThan(Math.fround(0.02));
    expect(scoreThreshold).toBeLessThan(0.02 + 1e-8);
    expect(settings({ compat: 'mmdet', padding: 'black', iouThreshold: 0.3 })).toMatchObject({
      padding: -0.99609375,
      iouThreshold: 0.3,
    });
  });

  test('a call’s size replaces the detector’s, one or several', () => {
    const one: DetectOptions = { inputSize: [64, 64], scoreThreshold: 0.1 };
    const several: DetectOptions = { inputSizes: [[32, 32]] };
    expect(mergeOptions(one, several)).toEqual({ inputSizes: [[32, 32]], scoreThreshold: 0.1 });
    expect(mergeOptions(several, one)).toEqual(one);
    expect(mergeOptions(one, { maxFaces: 1 })).toEqual({ ...one, maxFaces: 1 });
  });

  test.each<[unknown, string]>([
    [{ compat: '0.6' }, "compat: expected '0.7' or '1.0' or '2.0' or 'mmdet', got 0.6"],
    [{ padding: 'grey' }, "padding: expected 'black' or 'mean', got grey"],
    [{ interpolation: 'cubic' }, "interpolation: expected 'linear' or 'nearest', got cubic"],
    [{ maxFacesMetric: 'min' }, "maxFacesMetric: expected 'default' or 'max', got min"],
    [{ inputSizes: [] }, 'inputSizes: expected at least one size'],
    [
      {
        inputSizes: [
          [64, 64],
          [0, 1],
        ],
      },
      'inputSizes: expected two integers of 1 to 65536 [width, height], got [0, 1]',
    ],
    [{ inputSize: 640 }, 'inputSize: expected two integers of 1 to 65536 [width, height], got [640]'],
    [{ inputSize: [64, 64], inputSizes: [[64, 64]] }, 'expected this or inputSizes, got both'],
    ...[null, '0.5', [0.5], true, {}, Number.NaN, -0.1].map((value): [unknown, string] => [
      { scoreThreshold: value },
      `scoreThreshold: expected a number from 0 to 1, got ${value}`,
    ]),
    [{ iouThreshold: null }, 'iouThreshold: expected a number from 0 to 1, got null'],
  ])('%j is refused', (options, message) => {
    expect(() => settings(options as DetectOptions)).toThrow(message);
  });
});

withData('conventions and sizes', () => {
  const model = () => modelNamed('scrfd_500m_kps.onnx');
  let crowd: Pixels;
  let one: Pixels;
  beforeAll(async () => {
    await loadOpenCv();
    crowd = await readImage(imageNamed('insightface_t1.jpg'));
    one = await readImage(imageNamed('astronaut_nasa.png'));
  });
  afterAll(disposeOrt);

  test('several sizes are searched together', async () => {
    const { device } = await openGpu();
    const inputSizes = [
      [64, 64],
      [320, 256],
    ] as const;
    await using detector = await createDetector(model(), { device, inputSizes, scoreThreshold: 0.3 });
    expect(detector.inputSize).toEqual([320, 256]);
    for (const image of [crowd, one]) {
      const options = { scoreThreshold: 0.3 };
      const expected = await detectJointReference(model(), image, inputSizes, options);
      expectSameFaces(await detector.detect(image), expected);
      // the sizes do matter
      const single = await detector.detect(image, { inputSize: [320, 256] });
      expectSameFaces(single, await detectReference(model(), image, { ...options, inputSize: [320, 256] }));
    }
  });

  test('padding and interpolation', async () => {
    const { device } = await openGpu();
    const inputSize = [320, 320] as const;
    await using detector = await createDetector(model(), { device, inputSize, scoreThreshold: 0.1 });
    for (const padding of ['black', 'mean'] as const) {
      for (const interpolation of ['linear', 'nearest'] as const) {
        const options = { scoreThreshold: 0.1, padding, interpolation };
        const expected = await detectReference(model(), crowd, { ...options, inputSize });
        expect(expected.length).toBeGreaterThan(3);
        expectSameFaces(await detector.detect(crowd, options), expected);
      }
    }
  });

  test('pictures as large as they are', async () => {
    const { device } = await openGpu();
    await using detector = await createDetector(model(), { device, inputSize: 'image', scoreThreshold: 0.3 });
    const small: Pixels = { data: crop(one, 200, 230), width: 200, height: 230, channels: 3 };
    const canvas: Pixels = { data: new Uint8Array(224 * 256 * 3), width: 224, height: 256, channels: 3 };
    for (let y = 0; y < 230; y++) canvas.data.set(small.data.subarray(y * 600, (y + 1) * 600), y * 224 * 3);
    const expected = await detectReference(model(), canvas, { inputSize: [224, 256], scoreThreshold: 0.3 });
    expect(expected.length).toBeGreaterThan(0);
    expectSameFaces(await detector.detect(small), expected);
  });

  function crop({ data, width }: Pixels, newWidth: number, newHeight: number): Uint8Array {
    const out = new Uint8Array(newWidth * newHeight * 3);
    for (let y = 0; y < newHeight; y++) {
      const start = (y * width + 130) * 3;
      out.set(data.subarray(start, start + newWidth * 3), y * newWidth * 3);
    }
    return out;
  }
});
