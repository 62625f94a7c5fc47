import { beforeAll, describe, expect, it } from 'vitest';
import type { Pixels } from '../../../src/common/image.ts';
import { type ImageParams, packImageParams } from '../../../src/kernels/detection/image-params.ts';
import { fitLetterbox, type Interpolation, letterbox, resizeTable } from '../../../src/kernels/detection/letterbox.ts';
import { loadOpenCv, letterbox as reference, resizeOpenCv } from '../../support/reference-letterbox.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

type Size = readonly [width: number, height: number];

const CANVASES: readonly Size[] = [
  [64, 96],
  [320, 320],
  [640, 640],
];

interface Case {
  readonly size: Size;
  readonly channels: 3 | 4;
  readonly canvas: Size;
}

function titleOf({ size, channels, canvas }: Case): string {
  return `${size.join('×')}×${channels} → ${canvas.join('×')}`;
}

/** Whether the reference keeps at least one row and one column of the picture. */
function isThickEnough([width, height]: Size, [canvasWidth, canvasHeight]: Size): boolean {
  const ratio = height / width;
  return ratio > canvasHeight / canvasWidth
    ? Math.trunc(canvasHeight / ratio) >= 1
    : Math.trunc(canvasWidth * ratio) >= 1;
}

function randomCases(count: number): Case[] {
  const rng = createRng(1);
  const cases: Case[] = [];
  while (cases.length < count) {
    const size: Size = [rng.int(1, rng.pick([8, 100, 1000, 1000])), rng.int(1, rng.pick([8, 100, 800, 800]))];
    const canvas = CANVASES[cases.length % CANVASES.length]!;
    const channels = rng.pick([3, 4] as const);
    if (isThickEnough(size, canvas)) cases.push({ size, channels, canvas });
  }
  return cases;
}

const EDGES: readonly Case[] = [
  { size: [1, 1], channels: 3, canvas: [64, 96] },
  { size: [1, 1], channels: 4, canvas: [320, 320] },
  { size: [2, 3], channels: 3, canvas: [64, 96] },
  { size: [64, 96], channels: 3, canvas: [64, 96] },
  { size: [128, 192], channels: 3, canvas: [64, 96] },
  { size: [127, 193], channels: 4, canvas: [64, 96] },
  { size: [63, 1], channels: 3, canvas: [64, 96] },
  { size: [1, 95], channels: 3, canvas: [64, 96] },
  { size: [1279, 1281], channels: 3, canvas: [640, 640] },
];

const LARGE: readonly Case[] = [
  { size: [4000, 3000], channels: 3, canvas: [640, 640] },
  { size: [1999, 2501], channels: 4, canvas: [640, 640] },
  { size: [3840, 2160], channels: 3, canvas: [320, 320] },
];

function noise(rng: Rng, [width, height]: Size, channels: 3 | 4): Pixels {
  return { data: rng.bytes(width * height * channels), width, height, channels };
}

/** Runs a batch of pictures, packed one behind the other as a caller would. */
async function runLetterbox(
  pictures: readonly Pixels[],
  [width, height]: Size,
  options: Partial<ImageParams> & { interpolation?: Interpolation; firstImage?: number } = {},
): Promise<Float32Array> {
  const { interpolation = 'linear', firstImage = 0, ...rest } = options;
  const params: ImageParams[] = [];
  const table: number[] = [];
  const words = pictures.map(({ data }) => Math.ceil(data.length / 4));
  const pixels = new Uint8Array(words.reduce((sum, count) => sum + count) * 4);
  let firstWord = 0;
  pictures.forEach((picture, i) => {
    const { newWidth, newHeight, scale } = fitLetterbox(picture.width, picture.height, width, height);
    pixels.set(picture.data, firstWord * 4);
    params.push({
      width: picture.width,
      height: picture.height,
      channels: picture.channels,
      ...{ rowBytes: picture.width * picture.channels, blueFirst: false, padding: -127.5 / 128 },
      ...{ firstWord, newWidth, newHeight, firstEntry: table.length / 4, scale },
      ...{ scoreThreshold: 0, iouThreshold: 0, clip: false, includeLastPixel: true, maxFaces: 0, preferCentral: false },
      ...rest,
    });
    table.push(...resizeTable(picture.width, picture.height, newWidth, newHeight, interpolation));
    firstWord += words[i]!;
  });
  const dispatch = letterbox({ batch: pictures.length, width, height, firstImage });
  // parameters before the first are another input size's
  const packed = packImageParams([
    ...Array.from({ length: firstImage }, () => ({ ...params[0]!, width: 0 })),
    ...params,
  ]);
  return new Float32Array(await runDispatch(dispatch, [pixels, Int32Array.from(table), packed]));
}

/** Every pixel must come back as the very byte that OpenCV writes, and the fourth lane as 0. */
function expectCanvas(output: Float32Array, canvas: Uint8Array, width: number): void {
  expect(output.length).toBe((canvas.length / 3) * 4);
  let wrong = 0;
  let first = '';
  output.forEach((value, i) => {
    const lane = i % 4;
    const got = lane === 3 ? value : value * 128 + 127.5;
    const expected = lane === 3 ? 0 : canvas[Math.floor(i / 4) * 3 + lane]!;
    if (got === expected) return;
    const pixel = Math.floor(i / 4);
    if (wrong++ === 0)
      first = `x ${pixel % width}, y ${Math.floor(pixel / width)}, lane ${lane}: ${expected}, got ${got}`;
  });
  expect(wrong, `${wrong} of ${output.length} values differ; first at ${first}`).toBe(0);
}

describe('fitLetterbox', () => {
  beforeAll(loadOpenCv);

  it.each(randomCases(40).map((c) => [titleOf(c), c] as const))('fits as the reference does: %s', (_, c) => {
    const [width, height] = c.size;
    const fit = fitLetterbox(width, height, ...c.canvas);
    const { newWidth, newHeight, detScale } = reference(noise(createRng(2), c.size, 3), c.canvas);
    expect(fit).toEqual({ newWidth, newHeight, scale: [detScale, detScale] });
  });

  it('keeps one pixel of a picture that is too thin for the reference', () => {
    expect(fitLetterbox(1000, 1, 64, 96)).toEqual({ newWidth: 64, newHeight: 1, scale: [1, 1] });
    expect(fitLetterbox(1, 1000, 64, 96)).toMatchObject({ newWidth: 1, newHeight: 96 });
  });
});

describe('fitLetterbox as mmdet', () => {
  it.each<[Size, Size, object]>([
    [[1024, 683], [640, 640], { newWidth: 640, newHeight: 427, scale: [640 / 1024, 427 / 683] }],
    [[683, 1024], [640, 640], { newWidth: 427, newHeight: 640, scale: [427 / 683, 640 / 1024] }],
    [[100, 100], [640, 480], { newWidth: 480, newHeight: 480, scale: [4.8, 4.8] }],
    [[1000, 1], [64, 64], { newWidth: 64, newHeight: 1, scale: [0.064, 1] }],
  ])('%s on %s', ([width, height], canvas, expected) => {
    expect(fitLetterbox(width, height, ...canvas, 'mmdet')).toEqual(expected);
  });
});

describe('resizeTable', () => {
  it.each<[string, Size, Size]>([
    ['up', [3, 2], [64, 43]],
    ['down', [999, 501], [320, 160]],
    ['one pixel', [1, 1], [64, 64]],
  ])('stays inside the picture with weights that add up to one: %s', (_, [width, height], [newWidth, newHeight]) => {
    const table = resizeTable(width, height, newWidth, newHeight);
    expect(table.length).toBe((newWidth + newHeight) * 4);
    for (let i = 0; i < newWidth + newHeight; i++) {
      const [first, second, firstWeight, secondWeight] = table.subarray(i * 4) as unknown as number[];
      const size = i < newWidth ? width : height;
      expect(first! >= 0 && first! < size && second! >= 0 && second! < size, `tap ${i}`).toBe(true);
      expect(firstWeight! + secondWeight!, `tap ${i}`).toBe(2048);
    }
  });
});

describe('letterbox', () => {
  beforeAll(loadOpenCv);

  it('states its bindings and workgroups', () => {
    const dispatch = letterbox({ batch: 2, width: 65, height: 3, firstImage: 2 });
    expect(dispatch.bindingBytes).toEqual([4, 16, 4 * 64, 2 * 65 * 3 * 16]);
    expect(dispatch.workgroups).toEqual([2, 1, 2]);
  });

  it.each([...EDGES, ...randomCases(40), ...LARGE].map((c) => [titleOf(c), c] as const))(
    'is OpenCV bit for bit: %s',
    async (_, { size, channels, canvas }) => {
      const picture = noise(createRng(3), size, channels);
      expectCanvas(await runLetterbox([picture], canvas), reference(picture, canvas).canvas, canvas[0]);
    },
  );

  it.each<[string, readonly Case[]]>([
    [
      'wide RGB, tall RGBA',
      [
        { size: [101, 37], channels: 3, canvas: [64, 96] },
        { size: [33, 207], channels: 4, canvas: [64, 96] },
      ],
    ],
    [
      'three sizes, odd byte counts',
      [
        { size: [7, 11], channels: 3, canvas: [64, 96] },
        { size: [65, 97], channels: 3, canvas: [64, 96] },
        { size: [1, 1], channels: 3, canvas: [64, 96] },
      ],
    ],
  ])('keeps the pictures of a batch apart: %s', async (_, cases) => {
    const canvas = cases[0]!.canvas;
    const rng = createRng(4);
    const pictures = cases.map(({ size, channels }) => noise(rng, size, channels));
    const output = await runLetterbox(pictures, canvas);
    const values = canvas[0] * canvas[1] * 4;
    pictures.forEach((picture, i) => {
      expectCanvas(output.subarray(i * values, (i + 1) * values), reference(picture, canvas).canvas, canvas[0]);
    });
  });

  it.each<[Size, Size]>([
    [
      [50, 41],
      [64, 96],
    ],
    [
      [641, 333],
      [320, 320],
    ],
    [
      [7, 200],
      [64, 96],
    ],
    [
      [320, 320],
      [320, 320],
    ],
  ])('takes the nearest pixel as OpenCV does: %s → %s', async (size, canvas) => {
    const picture = noise(createRng(6), size, 3);
    const { newWidth, newHeight } = fitLetterbox(...size, ...canvas);
    const small = resizeOpenCv(picture, 3, newWidth, newHeight, 'nearest');
    const expected = new Uint8Array(canvas[0] * canvas[1] * 3);
    for (let y = 0; y < newHeight; y++) {
      expected.set(small.subarray(y * newWidth * 3, (y + 1) * newWidth * 3), y * canvas[0] * 3);
    }
    expectCanvas(await runLetterbox([picture], canvas, { interpolation: 'nearest' }), expected, canvas[0]);
  });

  it('reads rows that are further apart than they are long, blue before red, parameters behind another input size’s', async () => {
    const rng = createRng(8);
    const rgba = noise(rng, [50, 40], 4);
    const rowBytes = 256;
    const data = rng.bytes(rowBytes * 40);
    for (let i = 0; i < 50 * 40; i++) {
      const [r, g, b, a] = rgba.data.subarray(i * 4, i * 4 + 4);
      data.set([b!, g!, r!, a!], Math.floor(i / 50) * rowBytes + (i % 50) * 4);
    }
    const output = await runLetterbox([{ ...rgba, data }], [64, 96], { rowBytes, blueFirst: true, firstImage: 3 });
    expectCanvas(output, reference(rgba, [64, 96]).canvas, 64);
  });

  it('pads with what it is told', async () => {
    const picture = noise(createRng(9), [50, 40], 3);
    const output = await runLetterbox([picture], [64, 96], { padding: 0.25 });
    const { newHeight } = fitLetterbox(50, 40, 64, 96);
    const beyond = output.subarray(newHeight * 64 * 4).filter((_, i) => i % 4 !== 3);
    expect(new Set(beyond)).toEqual(new Set([0.25]));
  });

  it('ignores alpha', async () => {
    const rng = createRng(5);
    const rgba = noise(rng, [50, 40], 4);
    const opaque = { ...rgba, data: rgba.data.map((byte, i) => (i % 4 === 3 ? 255 : byte)) };
    expect(await runLetterbox([rgba], [64, 96])).toEqual(await runLetterbox([opaque], [64, 96]));
  });
});
