import { afterAll, describe, expect, it } from 'vitest';
import { Detector } from '../../src/detector/detector.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadEveryMethod, loadTarget } from '../../src/graph/load-target.ts';
import type { NetworkPlan } from '../../src/graph/plan.ts';
import type { ConvMethodName } from '../../src/kernels/conv/method.ts';
import { type ConvWay, chooseMethod, convKey, possibleMethods } from '../../src/kernels/conv/methods.ts';
import type { ConvSpec } from '../../src/kernels/conv/spec.ts';
import { worthTiming } from '../../src/kernels/conv/worth-timing.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { Network } from '../../src/runtime/network.ts';
import type { TuningStore } from '../../src/runtime/tuner.ts';
import { Tuner } from '../../src/runtime/tuner.ts';
import { convCase } from '../kernels/support/conv-cases.ts';
import { expectClose, expectSameFaces } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { disposeOrt, runOrtInOrder } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';

const MODEL = smallModel();
const SIZE = [96, 64] as const;
const PIXELS = { data: createRng(3).bytes(96 * 64 * 3), width: 96, height: 64, channels: 3 } as const;

class Drawer implements TuningStore {
  readonly texts = new Map<string, string>();
  writes = 0;

  async read(name: string): Promise<string | null> {
    return this.texts.get(name) ?? null;
  }

  async write(name: string, text: string): Promise<void> {
    this.writes++;
    this.texts.set(name, text);
  }
}

const gpu = await openGpu();
const { device } = gpu;
const target = await loadEveryMethod(gpu.traits);
afterAll(disposeOrt);

function openDetector(tuningStore: TuningStore, inputSize: readonly [number, number] = SIZE) {
  return Detector.create({ ...nodePlatform, tuningStore }, MODEL, { device, inputSize, autotune: true });
}

/** The faces found without tuning. */
async function untuned() {
  await using detector = await Detector.create(nodePlatform, MODEL, { device, inputSize: SIZE });
  const faces = await detector.detect(PIXELS);
  expect(faces.length).toBeGreaterThan(3);
  return faces;
}

describe('autotune', { timeout: 300_000 }, () => {
  const drawer = new Drawer();

  it('times each shape once, keeps what it found, and finds the same faces', async () => {
    await using first = await openDetector(drawer);
    expectSameFaces(await first.detect(PIXELS), await untuned());
    expect(drawer.writes).toBe(1);
    const [[name, text]] = [...drawer.texts] as [[string, string]];
    expect(name).toMatch(/^convolutions-\d+-[\w.-]+$/);
    const kept = Object.entries(JSON.parse(text) as Record<string, ConvWay>);
    expect(kept.length).toBeGreaterThan(10);
    for (const [key, way] of kept) expect(possibleMethods(JSON.parse(key), target)).toContain(way.split(' ')[0]);
    // nothing new: nothing is timed or written
    await using second = await openDetector(drawer);
    expectSameFaces(await second.detect(PIXELS), await untuned());
    await first.detectBatch([PIXELS, PIXELS]);
    expect(drawer.writes).toBe(1);
  });

  it('times what another size adds', async () => {
    const before = drawer.texts.values().next().value!.length;
    await using detector = await openDetector(drawer, [64, 64]);
    expect(detector.inputSize).toEqual([64, 64]);
    expect(drawer.writes).toBe(2);
    expect(drawer.texts.values().next().value!.length).toBeGreaterThan(before);
  });

  it.each(['', 'not JSON', 'null', '[]', '{"a":1}'])('takes damaged results for none: %o', async (damaged) => {
    const broken = new Drawer();
    broken.read = async () => damaged;
    const { spec } = convCase([8, 8], [8, 8], { kernel: [3, 3], pads: 1, group: 8 });
    const choices = await new Tuner(gpu, target, broken).choose([spec]);
    expect(possibleMethods(spec, target)).toContain(choices.get(convKey(spec))!.split(' ')[0]);
    expect(broken.writes).toBe(1);
  });

  const shapes = [4, 8, 12].map((channels) => {
    return convCase([channels, channels], [8, 8], { kernel: [3, 3], pads: 1, group: channels }).spec;
  });

  it('refuses what is too large before it times anything', async () => {
    const untouched = new Drawer();
    const plan = { buffers: [2 ** 40], constants: new Map(), cleared: [], steps: [], convs: [shapes[0]!] };
    const refused = new Tuner(gpu, target, untouched).plan(() => plan);
    await expect(refused).rejects.toMatchObject({ name: 'DeviceError', reason: 'limits' });
    expect(untouched.writes).toBe(0);
  });

  it('keeps what others have found meanwhile', async () => {
    const shared = new Drawer();
    const [first, second] = [new Tuner(gpu, target, shared), new Tuner(gpu, target, shared)];
    await first.choose(shapes.slice(0, 1));
    await second.choose(shapes.slice(0, 1));
    await Promise.all([first.choose(shapes.slice(0, 2)), second.choose(shapes.slice(2))]);
    await first.choose(shapes.slice(2));
    const [text] = [...shared.texts.values()];
    expect(Object.keys(JSON.parse(text!)).sort()).toEqual(shapes.map(convKey).sort());
  });

  it('stops when aborted, and keeps what it has', async () => {
    const kept = new Drawer();
    const reason = new Error('no more time');
    let looks = 0;
    const secondLook = {
      throwIfAborted() {
        if (++looks === 2) throw reason;
      },
    } as AbortSignal;
    await expect(new Tuner(gpu, target, kept).choose(shapes, secondLook)).rejects.toBe(reason);
    const [text] = [...kept.texts.values()];
    expect(Object.keys(JSON.parse(text!))).toEqual([convKey(shapes[0]!)]);
    const aborted = Detector.create({ ...nodePlatform, tuningStore: kept }, MODEL, {
      ...{ device, inputSize: SIZE, autotune: true },
      signal: AbortSignal.abort(reason),
    });
    await expect(aborted).rejects.toBe(reason);
  });
});

describe('what is worth timing', () => {
  const [large, small] = [64, 8].map((size) => convCase([64, 64], [size, size], { kernel: [3, 3], pads: 1 }).spec) as [
    ConvSpec,
    ConvSpec,
  ];
  const many = (spec: ConvSpec, count: number) => new Array<ConvSpec>(count).fill(spec);

  it('is what takes a hundredth of a network on hardware, however often it comes', async () => {
    const hardware = await loadTarget({ software: false, subgroupSize: 32, class: 'phone' });
    expect(worthTiming([large, small], hardware)).toEqual([large, small]);
    expect(worthTiming([...many(large, 100), small], hardware)).toEqual([large]);
    expect(worthTiming([...many(large, 100), ...many(small, 100)], hardware)).toEqual([large, small]);
  });

  it('is every shape on software adapters, of whose times nothing is predicted', async () => {
    const software = await loadTarget({ software: true, subgroupSize: 8 });
    expect(worthTiming([...many(large, 1000), small], software)).toEqual([large, small]);
  });
});

const METHODS: readonly ConvMethodName[] = [
  ...(['direct', 'split', 'lane', 'lane-uniform'] as const),
  ...(['winograd-lane', 'depthwise', 'depthwise-columns'] as const),
];

describe('whatever is chosen, the network is onnxruntime’s', { timeout: 120_000 }, () => {
  const inputShape = [2, 3, 64, 96] as const;

  it.each(METHODS)('%s', async (method) => {
    const usual = await Network.create(nodePlatform, MODEL, { device, inputShape });
    const { convs } = await usual.plan();
    await usual.dispose();
    const tuningStore = new Drawer();
    const pick = (spec: (typeof convs)[number]) =>
      possibleMethods(spec, target).includes(method) ? method : chooseMethod(spec, target);
    const choices = new Map(convs.map((spec) => [convKey(spec), pick(spec)]));
    tuningStore.read = async () => JSON.stringify(Object.fromEntries(choices));
    await using network = await Network.create({ ...nodePlatform, tuningStore }, MODEL, {
      device,
      inputShape,
      autotune: true,
    });
    expect(tuningStore.writes).toBe(0);
    const kernels = ({ steps }: NetworkPlan) => steps.map(({ dispatch }) => dispatch.kernel);
    const chosen = compileNetwork(await loadModel(MODEL), inputShape, target, { choices });
    expect(kernels(await network.plan())).toEqual(kernels(chosen));
    const data = createRng(5).floats(2 * 3 * 64 * 96);
    const actual = await network.run(data);
    for (const [name, expected] of await runOrtInOrder(MODEL, { dims: inputShape, data })) {
      const largest = expected.data.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
      const reason = `${name}: float32 sums in another order`;
      expectClose(actual[name]!.data, expected.data, { abs: 1e-4 * largest, reason });
    }
  });
});
