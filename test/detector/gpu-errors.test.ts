import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createDetector, createNetwork, type Detector, type Network } from '../../src/index.node.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';

const MODEL = smallModel();
const INPUT_SIZE = [96, 64] as const;
const SHAPE = [1, 3, 64, 96] as const;

function picture(width: number, height: number) {
  return { data: createRng(width).bytes(width * height * 3), width, height, channels: 3 } as const;
}

const SMALL = picture(96, 64);
const LARGE = picture(200, 150);
const INPUT = createRng(4).floats(3 * 64 * 96);

let borrowed: GPUDevice;
const uncaptured: string[] = [];
beforeEach(async () => {
  borrowed = await (await nodePlatform.requestAdapter())!.requestDevice();
  uncaptured.length = 0;
});
afterEach(() => {
  vi.restoreAllMocks();
  borrowed.destroy();
});

function watch(device: GPUDevice): GPUDevice {
  device.addEventListener('uncapturederror', ({ error }) => uncaptured.push(error.message));
  return device;
}

/** Makes one call after so many others go wrong, as WebGPU tells it: later. */
type Break = (device: GPUDevice) => void;

/** No memory for a buffer whose label this is. */
function noMemoryFor(label: RegExp): Break {
  return (device) => {
    const create = device.createBuffer.bind(device);
    let full = true;
    vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
      if (!full || !label.test(descriptor.label ?? '')) return create(descriptor);
      full = false;
      return create({ ...descriptor, size: 2 ** 40 });
    });
  };
}

const invalidBindGroup: Break = (device) => {
  const create = device.createBindGroup.bind(device);
  vi.spyOn(device, 'createBindGroup').mockImplementationOnce((descriptor) => create({ ...descriptor, entries: [] }));
};

const invalidCommands: Break = (device) => {
  const submit = device.queue.submit.bind(device.queue);
  vi.spyOn(device.queue, 'submit').mockImplementationOnce((commands) => {
    const [last] = [...commands].slice(-1);
    submit([last!]);
    // a second time is not allowed
    submit(commands);
  });
};

function invalidWriteTo(label: RegExp): Break {
  return ({ queue }) => {
    const write = queue.writeBuffer.bind(queue);
    let broken = false;
    vi.spyOn(queue, 'writeBuffer').mockImplementation((buffer, offset, ...rest) => {
      const breaks = !broken && label.test(buffer.label);
      broken ||= breaks;
      write(buffer, breaks ? 2 ** 30 : offset, ...(rest as [Uint8Array<ArrayBuffer>]));
    });
  };
}

describe.each(['its own', 'a borrowed'])('a detector on %s device', (whose) => {
  let detector: Detector;
  beforeEach(async () => {
    const device = whose === 'its own' ? {} : { device: borrowed };
    detector = await createDetector(MODEL, { ...device, inputSize: INPUT_SIZE });
    watch(detector.device);
  });
  afterEach(async () => {
    await detector.dispose();
    expect(uncaptured).toEqual([]);
  });

  /** Another one has the right faces. */
  async function facesOf(...args: Parameters<Detector['detect']>) {
    await using sound = await createDetector(MODEL, { device: detector.device, inputSize: INPUT_SIZE });
    const faces = await sound.detect(...args);
    expect(faces.length).toBeGreaterThan(0);
    return faces;
  }

  test.each([
    ['no memory for the picture', noMemoryFor(/^pixels$/), 'out-of-memory'],
    ['a bind group that is invalid', invalidBindGroup, 'driver'],
    ['commands that are invalid', invalidCommands, 'driver'],
    ['pixels that are not written', invalidWriteTo(/^pixels$/), 'driver'],
    ['parameters that are not written', invalidWriteTo(/^imageParams$/), 'driver'],
    ['a resize table that is not written', invalidWriteTo(/^resizeTable$/), 'driver'],
  ] as const)('%s: a typed error, and the next call finds its own faces', async (_, fail, reason) => {
    const small = await facesOf(SMALL);
    const large = await facesOf(LARGE);
    expect(await detector.detect(SMALL)).toEqual(small);
    fail(detector.device);
    await expect(detector.detect(LARGE)).rejects.toMatchObject({ name: 'DeviceError', reason });
    expect(await detector.detect(LARGE)).toEqual(large);
    expect(await detector.detect(SMALL)).toEqual(small);
  });

  test('calls that share what was not written fail with it', async () => {
    const large = await facesOf(LARGE);
    await detector.detect(SMALL);
    invalidWriteTo(/^resizeTable$/)(detector.device);
    const results = await Promise.allSettled([1, 2, 3].map(() => detector.detect(LARGE)));
    expect(results[0]!.status).toBe('rejected');
    for (const result of results) {
      if (result.status === 'fulfilled') expect(result.value).toEqual(large);
      else expect(result.reason).toMatchObject({ name: 'DeviceError', reason: 'driver' });
    }
    expect(await detector.detect(LARGE)).toEqual(large);
  });

  test.each([/^activations 1$/, /^params$/, /^resizeTable$/, /^read-back$/])(
    'no memory for %s of a new plan: the next call compiles it',
    async (label) => {
      const options = { inputSize: [64, 64] } as const;
      const expected = await facesOf(SMALL, options);
      const before = await detector.detect(SMALL);
      noMemoryFor(label)(detector.device);
      const error = { name: 'DeviceError', reason: 'out-of-memory' };
      await expect(detector.detect(SMALL, options)).rejects.toMatchObject(error);
      expect(await detector.detect(SMALL, options)).toEqual(expected);
      expect(await detector.detect(SMALL)).toEqual(before);
    },
  );

  test('aligned crops', async () => {
    const face = { keypoints: [30, 60, 45, 35, 55].map((x, i) => [x, 20 + i * 7] as const) };
    const [crop] = await detector.alignFaces(LARGE, [face]);
    const cases = [noMemoryFor(/^crops$/), noMemoryFor(/^read-back of crops$/), invalidBindGroup, invalidCommands];
    for (const fail of [...cases, invalidWriteTo(/^pixels$/), invalidWriteTo(/^align steps$/)]) {
      fail(detector.device);
      await expect(detector.alignFaces(LARGE, [face])).rejects.toMatchObject({ name: 'DeviceError' });
      vi.restoreAllMocks();
      expect(await detector.alignFaces(LARGE, [face])).toEqual([crop]);
    }
  });

  test('a stream', async () => {
    const large = await facesOf(LARGE);
    noMemoryFor(/^pixels$/)(detector.device);
    const first = detector.stream([LARGE, LARGE]).next();
    await expect(first).rejects.toMatchObject({ name: 'DeviceError', reason: 'out-of-memory' });
    const results = [];
    for await (const { faces } of detector.stream([LARGE, LARGE])) results.push(faces);
    expect(results).toEqual([large, large]);
  });
});

test('no memory for weights: none are left behind', async () => {
  let buffers = 0;
  const create = borrowed.createBuffer.bind(borrowed);
  let full = true;
  vi.spyOn(borrowed, 'createBuffer').mockImplementation((descriptor) => {
    const breaks = full && buffers === 20;
    const buffer = create(breaks ? { ...descriptor, size: 2 ** 40 } : descriptor);
    buffers++;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      buffers--;
      destroy();
    };
    return buffer;
  });
  const options = { device: watch(borrowed), inputSize: INPUT_SIZE };
  await expect(createDetector(MODEL, options)).rejects.toMatchObject({ reason: 'out-of-memory' });
  expect(buffers).toBe(0);
  full = false;
  await (await createDetector(MODEL, options)).dispose();
  expect(buffers).toBe(0);
  expect(uncaptured).toEqual([]);
});

test('an error of the caller’s own calls on the detector’s device is the caller’s', async () => {
  await using detector = await createDetector(MODEL, { inputSize: INPUT_SIZE });
  const faces = await detector.detect(SMALL);
  const reported = new Promise((resolve) => detector.device.addEventListener('uncapturederror', resolve));
  detector.device.createBuffer({ size: 2 ** 40, usage: 8 });
  await reported;
  expect(await detector.detect(SMALL)).toEqual(faces);
});

describe.each(['its own', 'a borrowed'])('a network on %s device', (whose) => {
  let network: Network;
  let device: GPUDevice;
  beforeEach(async () => {
    network = await createNetwork(MODEL, { inputShape: SHAPE, ...(whose === 'its own' ? {} : { device: borrowed }) });
    ({ device } = network);
    watch(device);
  });
  afterEach(async () => {
    await network.dispose();
    expect(uncaptured).toEqual([]);
  });

  test.each([
    ['a bind group that is invalid', invalidBindGroup],
    ['commands that are invalid', invalidCommands],
    ['an input that is not written', invalidWriteTo(/^activations/)],
  ] as const)('%s: a typed error, and the next run has its own results', async (_, fail) => {
    fail(device);
    await expect(network.run(INPUT)).rejects.toMatchObject({ name: 'DeviceError', reason: 'driver' });
    await using sound = await createNetwork(MODEL, { device, inputShape: SHAPE });
    expect(await network.run(INPUT)).toEqual(await sound.run(INPUT));
  });

  test('no memory for another input shape', async () => {
    const inputShape = [1, 3, 64, 64] as const;
    const input = INPUT.slice(0, 3 * 64 * 64);
    await using sound = await createNetwork(MODEL, { device, inputShape });
    for (const label of [/^activations 0$/, /^params$/, /^read-back$/]) {
      noMemoryFor(label)(device);
      await expect(network.run(input, { inputShape })).rejects.toMatchObject({ reason: 'out-of-memory' });
      vi.restoreAllMocks();
    }
    expect(await network.run(input, { inputShape })).toEqual(await sound.run(input));
  });
});
