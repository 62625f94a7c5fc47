import { describe, expect, test } from 'vitest';
import { Detector, type DetectorOptions } from '../../src/detector/detector.ts';
import type { Face } from '../../src/index.node.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { Network, type NetworkOptions, type OutputTensor } from '../../src/runtime/network.ts';
import { loseAt, type Moment, watchDevices } from '../support/losses.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';

const MODEL = smallModel();
const INPUT_SIZE = [96, 64] as const;
const INPUT_SHAPE = [1, 3, 64, 96] as const;
const PICTURE = { data: createRng(3).bytes(96 * 64 * 3), width: 96, height: 64, channels: 3 } as const;
const LARGE = { data: createRng(4).bytes(200 * 150 * 3), width: 200, height: 150, channels: 3 } as const;
const INPUT = createRng(5).floats(3 * 64 * 96);
const POINTS = [30, 60, 45, 35, 55].map((x, i) => [x, 20 + i * 7] as const);
const LOST = { name: 'DeviceError', reason: 'lost' };
const tuningStore = { read: async () => null, write: async () => {} };

async function openDevice(): Promise<GPUDevice> {
  const requiredFeatures: GPUFeatureName[] = ['timestamp-query', 'subgroups'];
  return (await nodePlatform.requestAdapter())!.requestDevice({ requiredFeatures });
}

/** What a detector or network is asked for, and when its device dies meanwhile. */
interface Case<T> {
  readonly what: string;
  readonly moments: readonly Moment[];
  readonly call: (subject: T) => Promise<unknown>;
}

const DETECTOR: readonly Case<Detector>[] = [
  { what: 'detect', moments: ['write', 'submit'], call: (each) => each.detect(PICTURE) },
  { what: 'a larger picture', moments: ['buffer'], call: (each) => each.detect(LARGE) },
  {
    what: 'another size',
    moments: ['buffer', 'bind'],
    call: (each) => each.detect(PICTURE, { inputSize: [64, 96] }),
  },
  { what: 'detectBatch', moments: ['map'], call: (each) => each.detectBatch([PICTURE, LARGE]) },
  { what: 'onTimings', moments: ['query'], call: (each) => each.detect(PICTURE, { onTimings: () => {} }) },
  {
    what: 'stream',
    moments: ['submit'],
    call: async (each) => {
      for await (const { faces } of each.stream([PICTURE, LARGE, PICTURE])) expect(faces.length).toBeGreaterThan(0);
    },
  },
  {
    what: 'alignFaces',
    moments: ['pipeline', 'buffer', 'submit', 'map'],
    call: (each) => each.alignFaces(PICTURE, [{ keypoints: POINTS }]),
  },
];

const NETWORK: readonly Case<Network>[] = [
  { what: 'run', moments: ['write', 'submit'], call: (each) => each.run(INPUT) },
  {
    what: 'another shape',
    moments: ['buffer', 'bind', 'map'],
    call: (each) => each.run(INPUT, { inputShape: [1, 3, 96, 64] }),
  },
];

/** The kinds of subject, their right results, and everything they are asked for. */
const SUBJECTS = {
  detector: {
    open: (platform = nodePlatform, options: Partial<DetectorOptions> = {}) =>
      Detector.create({ ...platform, tuningStore }, MODEL, { inputSize: INPUT_SIZE, ...options }),
    result: (subject: Detector): Promise<Face[]> => subject.detect(PICTURE),
    cases: DETECTOR,
  },
  network: {
    open: (platform = nodePlatform, options: Partial<NetworkOptions> = {}) =>
      Network.create({ ...platform, tuningStore }, MODEL, { inputShape: INPUT_SHAPE, ...options }),
    result: (subject: Network): Promise<Record<string, OutputTensor>> => subject.run(INPUT),
    cases: NETWORK,
  },
} as const;

describe.each(['detector', 'network'] as const)('the device of a %s', (kind) => {
  type Subject = Detector | Network;
  // the table's types are too many for calls: each row is used with itself alone
  const { open, result, cases } = SUBJECTS[kind] as unknown as {
    open(platform?: typeof nodePlatform, options?: { device?: GPUDevice; autotune?: boolean }): Promise<Subject>;
    result(subject: Subject): Promise<unknown>;
    cases: readonly Case<Subject>[];
  };
  const rows = cases.flatMap(({ what, moments, call }) => moments.map((moment) => ({ what, moment, call })));

  test.each(rows)('dies in $what, at $moment: the next call has another one', async ({ moment, call }) => {
    await using subject = await open();
    const events: string[] = [];
    subject.addEventListener('devicelost', ({ detail }) => events.push(`lost: ${detail.reason}`));
    subject.addEventListener('devicerestored', () => events.push('restored'));
    const expected = await result(subject);
    const { device } = subject;
    loseAt(device, moment);
    await expect(call(subject)).rejects.toMatchObject(LOST);
    await device.lost;
    expect(await Promise.all([result(subject), result(subject)])).toEqual([expected, expected]);
    expect(subject.device).not.toBe(device);
    expect(events).toEqual(['lost: lost', 'restored']);
  });

  test.each(rows)('dies in $what, at $moment: a borrowed one is not replaced', async ({ moment, call }) => {
    const device = await openDevice();
    const subject = await open(undefined, { device });
    await result(subject);
    loseAt(device, moment);
    await expect(call(subject)).rejects.toMatchObject(LOST);
    await device.lost;
    for (let i = 0; i < 2; i++) await expect(result(subject)).rejects.toMatchObject(LOST);
    await subject.dispose();
    await expect(result(subject)).rejects.toMatchObject({ name: 'DisposedError' });
  });

  test.each(['pipeline', 'buffer', 'write'] as const)('dies while it is created, at %s', async (moment) => {
    await expect(open(watchDevices((device) => loseAt(device, moment)))).rejects.toMatchObject(LOST);
    const device = await openDevice();
    loseAt(device, moment);
    await expect(open(undefined, { device })).rejects.toMatchObject(LOST);
  });

  test.each(['query', 'submit', 'map', 'pipeline'] as const)('dies while kernels are timed, at %s', async (moment) => {
    const platform = watchDevices((device) => loseAt(device, moment, 2));
    await expect(open(platform, { autotune: true })).rejects.toMatchObject(LOST);
    const device = await openDevice();
    loseAt(device, moment, 2);
    await expect(open(undefined, { device, autotune: true })).rejects.toMatchObject(LOST);
  });

  test('dies while it is disposed, or before', async () => {
    for (const borrowed of [await openDevice(), undefined]) {
      const subject = await open(undefined, borrowed && { device: borrowed });
      const { device } = subject;
      loseAt(device, 'submit');
      const call = result(subject);
      const disposed = subject.dispose();
      await expect(call).rejects.toMatchObject(LOST);
      await disposed;
      const other = await open();
      other.device.destroy();
      await other.dispose();
      await expect(result(other)).rejects.toMatchObject({ name: 'DisposedError' });
    }
  });

  test('dies again and again', async () => {
    await using subject = await open();
    const expected = await result(subject);
    for (let i = 0; i < 5; i++) {
      const { device } = subject;
      loseAt(device, 'submit');
      await expect(result(subject)).rejects.toMatchObject(LOST);
      await device.lost;
      expect(await result(subject)).toEqual(expected);
    }
  });

  test('dies, and there is no other for a while', async () => {
    let gone = false;
    const platform = {
      ...nodePlatform,
      requestAdapter: async () => (gone ? null : nodePlatform.requestAdapter()),
    };
    await using subject = await open(platform);
    const expected = await result(subject);
    gone = true;
    subject.device.destroy();
    await subject.device.lost;
    await expect(result(subject)).rejects.toMatchObject({ name: 'DeviceError', reason: 'no-adapter' });
    gone = false;
    expect(await result(subject)).toEqual(expected);
  });
});
