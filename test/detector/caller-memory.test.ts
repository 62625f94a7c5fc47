import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  blurFaces,
  createDetector,
  createNetwork,
  type Detector,
  type Network,
  type Pixels,
} from '../../src/index.node.ts';
import { paintFaces, writeAnnotated } from '../../src/node/draw.ts';
import { readImage } from '../../src/node/images.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';

type Bytes = Uint8Array | Uint8ClampedArray;

const MODEL = smallModel();
const OPTIONS = { inputSize: [96, 64] } as const;
const INPUT_SHAPE = [1, 3, 64, 96] as const;
const PICTURE: Pixels = { data: createRng(3).bytes(96 * 64 * 3), width: 96, height: 64, channels: 3 };
const INPUT = createRng(5).floats(3 * 64 * 96);
const FACE = {
  box: [10, 10, 60, 50],
  score: 0.9,
  keypoints: [30, 60, 45, 35, 55].map((x, i) => [x, 20 + i * 7] as const),
} as const;
const PAGES = { initial: 64, maximum: 128 };

interface Resizable {
  resize(bytes: number): void;
}

function view(buffer: ArrayBufferLike, bytes: Bytes, offset = 8): Uint8Array {
  const copy = new Uint8Array(buffer, offset, bytes.length);
  copy.set(bytes);
  return copy;
}

// TypeScript's library does not know these yet
const resizable = (bytes: number) =>
  new (ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer & Resizable)(bytes, {
    maxByteLength: bytes * 2,
  });
const growable = (bytes: number) =>
  new (SharedArrayBuffer as unknown as new (bytes: number, options: object) => SharedArrayBuffer)(bytes, {
    maxByteLength: bytes * 2,
  });

/** The same bytes in every kind of memory that a caller may have. */
const MEMORIES: Readonly<Record<string, (bytes: Uint8Array) => Bytes>> = {
  'at an odd offset': (bytes) => view(new ArrayBuffer(bytes.length + 3), bytes, 3),
  'as a Buffer': (bytes) => Buffer.from(bytes),
  'of another realm': (bytes) => {
    const other = runInNewContext(`new Uint8Array(${bytes.length})`) as Uint8Array;
    other.set(bytes);
    return other;
  },
  shared: (bytes) => view(new SharedArrayBuffer(bytes.length + 8), bytes),
  'shared at an odd offset': (bytes) => view(new SharedArrayBuffer(bytes.length + 1), bytes, 1),
  'as a Buffer of shared memory': (bytes) => {
    const shared = new SharedArrayBuffer(bytes.length);
    view(shared, bytes, 0);
    return Buffer.from(shared);
  },
  'shared and growable': (bytes) => view(growable(bytes.length + 8), bytes),
  resizable: (bytes) => view(resizable(bytes.length + 8), bytes),
  'of wasm': (bytes) => view(new WebAssembly.Memory(PAGES).buffer, bytes),
  'of wasm with threads': (bytes) => view(new WebAssembly.Memory({ ...PAGES, shared: true }).buffer, bytes),
};

describe.each(Object.entries(MEMORIES))('memory %s', (_, place) => {
  let device: GPUDevice;
  let detector: Detector;
  let own: Network;
  let folder: string;
  let encoded: Uint8Array;
  const picture = { ...PICTURE, data: place(PICTURE.data as Uint8Array) };
  const clamped = new Uint8ClampedArray(picture.data.buffer, picture.data.byteOffset, picture.data.length);
  beforeAll(async () => {
    ({ device } = await openGpu());
    detector = await createDetector(MODEL, { ...OPTIONS, device });
    own = await createNetwork(MODEL, { inputShape: INPUT_SHAPE, device });
    folder = await mkdtemp(join(tmpdir(), 'scrfd-'));
    await writeAnnotated(join(folder, 'plain.png'), PICTURE, []);
    encoded = new Uint8Array(await readFile(join(folder, 'plain.png')));
  });
  afterAll(async () => {
    await detector.dispose();
    await own.dispose();
    await rm(folder, { recursive: true });
  });

  test('holds pixels', async () => {
    const faces = await detector.detect(PICTURE);
    expect(faces.length).toBeGreaterThan(0);
    for (const image of [picture, { ...PICTURE, data: clamped }]) {
      expect(await detector.detect(image)).toEqual(faces);
      expect(await detector.detectBatch([image, PICTURE])).toEqual([faces, faces]);
      for await (const each of detector.stream([image])) expect(each.faces).toEqual(faces);
      expect(await detector.alignFaces(image, [FACE])).toEqual(await detector.alignFaces(PICTURE, [FACE]));
    }
  });

  test('holds pixels that are drawn on, hidden and written', async () => {
    const painted = await paintFaces(PICTURE, [FACE]);
    expect(await paintFaces(picture, [FACE])).toEqual(painted);
    expect([...blurFaces(picture, [FACE]).data]).toEqual([...blurFaces(PICTURE, [FACE]).data]);
    await writeAnnotated(join(folder, 'painted.png'), picture, [FACE]);
    expect(await readImage(join(folder, 'painted.png'))).toEqual(painted);
  });

  test('holds files of pictures', async () => {
    const file = place(encoded) as Uint8Array;
    const pixels = await readImage(encoded);
    expect(await readImage(file)).toEqual(pixels);
    expect(await detector.detect(file)).toEqual(await detector.detect(PICTURE));
    const { buffer, byteOffset, length } = place(encoded);
    if (byteOffset === 0 && buffer.byteLength === length)
      expect(await readImage(buffer as ArrayBuffer)).toEqual(pixels);
  });

  test('holds models', async () => {
    const bytes = place(MODEL) as Uint8Array;
    await using placed = await createDetector(bytes, { ...OPTIONS, device });
    await using network = await createNetwork(bytes, { inputShape: INPUT_SHAPE, device });
    // they are the caller's again
    bytes.fill(0);
    const other = { inputSize: [64, 64] } as const;
    expect(await placed.detect(PICTURE)).toEqual(await detector.detect(PICTURE));
    expect(await placed.detect(PICTURE, other)).toEqual(await detector.detect(PICTURE, other));
    expect(await network.run(INPUT)).toEqual(await own.run(INPUT));
  });

  test('holds inputs of networks', async () => {
    const bytes = place(new Uint8Array(INPUT.buffer));
    // numbers of four bytes lie at multiples of four
    if (bytes.byteOffset % 4 !== 0) return;
    const input = new Float32Array(bytes.buffer, bytes.byteOffset, INPUT.length);
    const expected = await own.run(INPUT);
    const run = own.run(input);
    input.fill(0);
    expect(await run).toEqual(expected);
  });
});

function transfer({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

describe('memory that goes', () => {
  let detector: Detector;
  let network: Network;
  beforeAll(async () => {
    const { device } = await openGpu();
    detector = await createDetector(MODEL, { ...OPTIONS, device });
    network = await createNetwork(MODEL, { inputShape: INPUT_SHAPE, device });
  });
  afterAll(async () => {
    await detector.dispose();
    await network.dispose();
  });

  test('before a call is an error of its kind, at every entry', async () => {
    const pixels = { ...PICTURE, data: PICTURE.data.slice() };
    const model = MODEL.slice();
    const input = INPUT.slice();
    for (const each of [pixels.data, model, input]) transfer(each);
    const bytes = 'expected 18432 bytes for 96×64×3, got 0';
    await expect(detector.detect(pixels)).rejects.toThrow(bytes);
    await expect(detector.detectBatch([PICTURE, pixels])).rejects.toThrow(bytes);
    await expect(detector.alignFaces(pixels, [FACE])).rejects.toThrow(bytes);
    await expect(detector.stream([pixels]).next()).rejects.toThrow(bytes);
    await expect(paintFaces(pixels, [])).rejects.toThrow(bytes);
    expect(() => blurFaces(pixels, [])).toThrow(bytes);
    await expect(network.run(input)).rejects.toThrow('expected 18432 elements (1×3×64×96), got 0');
    for (const each of [model, model.buffer]) {
      await expect(createDetector(each)).rejects.toMatchObject({ name: 'ModelError' });
      await expect(createNetwork(each, { inputShape: INPUT_SHAPE })).rejects.toMatchObject({ name: 'ModelError' });
      await expect(detector.detect(each)).rejects.toMatchObject({ name: 'ImageError' });
    }
  });

  test('meanwhile, by a grown wasm memory, is said', async () => {
    const memory = new WebAssembly.Memory(PAGES);
    const data = view(memory.buffer, PICTURE.data);
    const call = detector.detect({ ...PICTURE, data });
    memory.grow(1);
    await expect(call).rejects.toThrow(/expected 18432 bytes|expected its 18432 bytes to stay/);
    expect(await detector.detect(PICTURE)).not.toEqual([]);
  });

  test('meanwhile, of a resizable buffer, leaves the call its pixels or an error', async () => {
    const expected = await detector.detect(PICTURE);
    for (let turns = 0; turns < 12; turns++) {
      const buffer = resizable(PICTURE.data.length);
      const call = detector
        .detect({ ...PICTURE, data: view(buffer, PICTURE.data, 0) })
        .catch((error: unknown) => error);
      for (let i = 0; i < turns; i++) await undefined;
      buffer.resize(0);
      const result = await call;
      if (result instanceof Error) expect(result.message).toContain('expected 18432 bytes for 96×64×3, got 0');
      else expect(result).toEqual(expected);
    }
  });

  test('meanwhile, at any moment, is never another picture’s', async () => {
    const other = { ...PICTURE, data: new Uint8Array(PICTURE.data.length).fill(90) };
    const [faces, nothing] = [await detector.detect(PICTURE), await detector.detect(other)];
    expect(nothing).not.toEqual(faces);
    for (let turns = 0; turns < 40; turns++) {
      await detector.detect(PICTURE);
      const gone = { ...other, data: other.data.slice() };
      const call = detector.detect(gone).catch((error: unknown) => error);
      for (let i = 0; i < turns; i++) await undefined;
      transfer(gone.data);
      const result = await call;
      if (result instanceof Error) expect(result.message).toMatch(/expected (its )?18432 bytes/);
      else expect(result).toEqual(nothing);
    }
  });

  test.each([
    ['Float64Array', new Float64Array(18432)],
    ['Int8Array', new Int8Array(18432)],
    ['DataView', new DataView(new ArrayBuffer(18432))],
    ['Array', new Array(18432).fill(0)],
  ])('a %s is refused', async (_, data) => {
    const image = { ...PICTURE, data: data as unknown as Uint8Array };
    await expect(detector.detect(image)).rejects.toThrow(TypeError);
    await expect(paintFaces(image, [])).rejects.toThrow(TypeError);
    await expect(detector.detect(data as unknown as Uint8Array)).rejects.toThrow(TypeError);
    await expect(createDetector(data as unknown as Uint8Array)).rejects.toThrow(TypeError);
    await expect(network.run(data as unknown as Float32Array)).rejects.toThrow(TypeError);
  });
});
