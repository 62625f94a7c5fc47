import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createDetector, type Pixels } from '../../src/index.node.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { TextureUsage } from '../../src/runtime/gpu-flags.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';

const MODEL = smallModel();
const INPUT_SIZE = [96, 64] as const;
/** More than any activation takes, and less than the pictures. */
const MOST = 2 ** 20;

/** Large squares of random colours: there are faces in it for random weights. */
function picture(width: number, height: number, channels: 3 | 4 = 3): Pixels {
  const rng = createRng(width * 31 + height);
  const data = new Uint8Array(width * height * channels);
  const [columns, cell] = [Math.ceil(width / 50), 50];
  const colours = rng.bytes(columns * Math.ceil(height / cell) * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const square = Math.floor(y / cell) * columns + Math.floor(x / cell);
      const from = square * 3;
      for (let c = 0; c < 3; c++) data[(y * width + x) * channels + c] = colours[from + c]! ^ ((x * 7 + y * 13) & 15);
    }
  }
  return { data, width, height, channels };
}

/** A device that says it binds so much; or what another one binds. */
async function openDevice(most?: number): Promise<GPUDevice> {
  const device = await (await nodePlatform.requestAdapter())!.requestDevice();
  if (most !== undefined) {
    const limits = new Proxy(device.limits, {
      get: (target, name) => (name === 'maxStorageBufferBindingSize' ? most : Reflect.get(target, name, target)),
    });
    Object.defineProperty(device, 'limits', { value: limits });
    const create = device.createBuffer.bind(device);
    vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
      if (descriptor.label === 'pixels') expect(descriptor.size).toBeLessThanOrEqual(most);
      return create(descriptor);
    });
  }
  return device;
}

function makeTexture(device: GPUDevice, { data, width, height }: Pixels): GPUTexture {
  const usage = TextureUsage.COPY_SRC | TextureUsage.COPY_DST;
  const texture = device.createTexture({ size: [width, height], format: 'rgba8unorm', usage });
  device.queue.writeTexture({ texture }, data as Uint8Array<ArrayBuffer>, { bytesPerRow: width * 4 }, [width, height]);
  return texture;
}

/** A face that fills this part of a picture, turned. */
function faceAt(x: number, y: number, side: number) {
  const points = [
    [0.3, 0.35],
    [0.7, 0.45],
    [0.45, 0.6],
    [0.25, 0.75],
    [0.6, 0.85],
  ] as const;
  return { keypoints: points.map(([u, v]) => [x + u * side, y + v * side] as const) };
}

describe('pictures larger than the device binds, to the bit', () => {
  let whole: GPUDevice;
  let parts: GPUDevice;
  beforeAll(async () => {
    whole = await openDevice();
    parts = await openDevice(MOST);
    return () => {
      whole.destroy();
      parts.destroy();
    };
  });

  const PICTURES = [picture(1000, 700), picture(480, 1500), picture(700, 600, 4), picture(4000, 97)];

  test.each([
    ['a size', { inputSize: INPUT_SIZE }],
    ['nearest pixels', { inputSize: INPUT_SIZE, interpolation: 'nearest' }],
    ['two sizes', { inputSizes: [[64, 64], INPUT_SIZE] }],
    ['mmdet', { inputSize: INPUT_SIZE, compat: 'mmdet' }],
    ['a size along one side larger than the picture', { inputSize: [256, 128] }],
  ] as const)('%s', async (_, options) => {
    await using one = await createDetector(MODEL, { ...options, device: whole, scoreThreshold: 0.3 });
    await using other = await createDetector(MODEL, { ...options, device: parts, scoreThreshold: 0.3 });
    for (const image of PICTURES) {
      const faces = await one.detect(image);
      expect(faces.length).toBeGreaterThan(0);
      expect(await other.detect(image)).toEqual(faces);
    }
  });

  test('a batch, one after the other with small ones, and in flight together', async () => {
    const options = { inputSize: INPUT_SIZE, scoreThreshold: 0.3, inFlight: 3 };
    await using one = await createDetector(MODEL, { ...options, device: whole });
    await using other = await createDetector(MODEL, { ...options, device: parts });
    const batch = [picture(500, 400), picture(400, 500), PICTURES[0]!, picture(20, 30)];
    const faces = await one.detectBatch(batch);
    expect(await other.detectBatch(batch)).toEqual(faces);
    const order = [0, 3, 2, 1, 3, 2, 0];
    expect(await Promise.all(order.map((i) => other.detect(batch[i]!)))).toEqual(order.map((i) => faces[i]));
  });

  test('textures', async () => {
    await using one = await createDetector(MODEL, { inputSize: INPUT_SIZE, device: whole, scoreThreshold: 0.3 });
    await using other = await createDetector(MODEL, { inputSize: INPUT_SIZE, device: parts, scoreThreshold: 0.3 });
    for (const image of [picture(700, 600, 4), picture(96 * 20, 64 * 20, 4)]) {
      const faces = await one.detect(image);
      const texture = makeTexture(parts, image);
      expect(await other.detect(texture)).toEqual(faces);
      // of a texture whole rows are there
      if (image.width < 1000) expect(await other.detectBatch([texture, image])).toEqual([faces, faces]);
    }
  });

  test('aligned crops, of faces within a strip and across many', async () => {
    await using one = await createDetector(MODEL, { inputSize: INPUT_SIZE, device: whole });
    await using other = await createDetector(MODEL, { inputSize: INPUT_SIZE, device: parts });
    for (const image of [...PICTURES, picture(1500, 1400, 4)]) {
      const { width, height } = image;
      const faces = [
        faceAt(0, 0, 200),
        faceAt(width / 3, height / 3, 100),
        faceAt(-50, -80, Math.max(width, height)),
        faceAt(width - 60, height - 60, 150),
      ];
      const crops = await one.alignFaces(image, faces);
      expect(await other.alignFaces(image, faces)).toEqual(crops);
      if (image.channels === 4) expect(await other.alignFaces(makeTexture(parts, image), faces)).toEqual(crops);
    }
  });
});
