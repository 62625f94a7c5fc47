import type { Activation } from '../../../src/kernels/activation.ts';
import type { ConvSpec } from '../../../src/kernels/conv/spec.ts';
import { createRng, type Rng } from '../../support/rng.ts';

/** One convolution as plain data, for the tests and the benchmark of every convolution kernel. */
export interface ConvCase {
  /** Says every parameter. */
  readonly name: string;
  readonly spec: ConvSpec;
  /** top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
  readonly bias: boolean;
}

type Pair = readonly [number, number];

interface Options {
  readonly batch?: number;
  readonly kernel?: Pair;
  readonly strides?: Pair;
  /** One number, or top, left, bottom, right. */
  readonly pads?: number | readonly [number, number, number, number];
  readonly dilations?: Pair;
  readonly group?: number;
  readonly activation?: Activation;
  readonly upsample?: number;
  readonly bias?: boolean;
}

const relu: Activation = { kind: 'relu' };
const leakyRelu: Activation = { kind: 'leakyRelu', slope: 0.1 };
const relu6: Activation = { kind: 'clip', low: 0, high: 6 };
const narrowClip: Activation = { kind: 'clip', low: -0.5, high: 0.25 };
const sigmoid: Activation = { kind: 'sigmoid' };

export function convCase([inChannels, outChannels]: Pair, [inHeight, inWidth]: Pair, options: Options = {}): ConvCase {
  const { batch = 1, kernel = [1, 1], strides = [1, 1], dilations = [1, 1], group = 1, upsample = 0 } = options;
  const { activation = { kind: 'none' }, bias = true } = options;
  const pads = typeof options.pads === 'object' ? options.pads : fourTimes(options.pads ?? 0);
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor((size + pads[axis] + pads[axis + 2]! - (kernel[axis] - 1) * dilations[axis] - 1) / strides[axis]) + 1;
  const [outHeight, outWidth] = [extent(inHeight, 0), extent(inWidth, 1)];
  const name = [
    `${inChannels}→${outChannels} ${inHeight}×${inWidth}`,
    `k${kernel.join('×')}`,
    strides.join() !== '1,1' && `s${strides.join('×')}`,
    pads.some((pad) => pad > 0) && `p${new Set(pads).size === 1 ? pads[0] : pads.join()}`,
    dilations.join() !== '1,1' && `d${dilations.join('×')}`,
    group > 1 && `g${group}`,
    !bias && 'no bias',
    upsample > 0 && `residual×${upsample}`,
    activation.kind !== 'none' && activation.kind,
    batch > 1 && `batch ${batch}`,
  ];
  return {
    name: name.filter(Boolean).join(' '),
    spec: {
      ...{ batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth },
      ...{ kernel, strides, dilations, pads: [pads[0], pads[1]], group, activation, upsample },
    },
    pads,
    bias,
  };
}

function fourTimes(pad: number): [number, number, number, number] {
  return [pad, pad, pad, pad];
}

const DENSE: readonly ConvCase[] = [
  convCase([1, 1], [1, 1]),
  convCase([3, 5], [7, 9]),
  convCase([8, 8], [5, 4], { activation: relu }),
  convCase([16, 24], [4, 5], { activation: sigmoid, bias: false }),
  convCase([30, 56], [3, 6], { activation: leakyRelu, batch: 2 }),
  convCase([56, 30], [6, 7], { upsample: 1 }),
  convCase([24, 16], [8, 10], { upsample: 2 }),
  convCase([4, 8], [9, 9], { strides: [2, 2] }),
  convCase([2, 4], [1, 67], { activation: narrowClip }),
  convCase([3, 16], [16, 20], { kernel: [3, 3], strides: [2, 2], pads: 1, activation: relu }),
  convCase([16, 16], [10, 10], { kernel: [3, 3], pads: 1 }),
  convCase([5, 3], [1, 1], { kernel: [3, 3], pads: 1 }),
  convCase([1, 2], [3, 3], { kernel: [3, 3], batch: 3 }),
  convCase([8, 4], [6, 13], { kernel: [3, 3], pads: 1, activation: relu6 }),
  convCase([24, 24], [5, 7], { kernel: [3, 3], pads: 1, upsample: 1, activation: relu, batch: 2 }),
  convCase([16, 8], [8, 12], { kernel: [3, 3], pads: 1, upsample: 2, activation: relu, bias: false, batch: 2 }),
  convCase([8, 30], [7, 5], { kernel: [3, 3], strides: [2, 2], pads: 1, batch: 3 }),
  convCase([4, 8], [8, 8], { kernel: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1], activation: relu }),
  convCase([4, 5], [6, 7], { kernel: [3, 3], pads: [2, 1, 0, 3] }),
  // more outputs than inputs
  convCase([7, 11], [2, 3], { pads: [0, 0, 1, 2] }),
  convCase([8, 8], [9, 11], { kernel: [3, 3], pads: 2, dilations: [2, 2], activation: leakyRelu }),
  convCase([3, 4], [10, 9], { kernel: [3, 2], strides: [1, 2], pads: [3, 0, 1, 2], dilations: [2, 3] }),
  convCase([5, 8], [7, 6], { kernel: [5, 5], pads: 2 }),
  convCase([3, 8], [15, 17], { kernel: [7, 7], strides: [2, 2], pads: 3, activation: relu }),
  convCase([4, 4], [5, 9], { kernel: [1, 7], pads: [0, 3, 0, 3] }),
  convCase([4, 4], [9, 5], { kernel: [7, 1], pads: [3, 0, 3, 0], activation: sigmoid }),
  convCase([2, 3], [8, 11], { kernel: [2, 2], strides: [3, 3] }),
  convCase([8, 16], [6, 8], { kernel: [2, 2], strides: [2, 2], activation: relu }),
  convCase([2, 2], [2, 2], { kernel: [3, 3], pads: 3 }),
  convCase([56, 8], [4, 6], { kernel: [3, 3], pads: 1, upsample: 2, activation: sigmoid }),
  convCase([16, 24], [9, 4], { kernel: [3, 3], strides: [2, 1], pads: 1, activation: narrowClip }),
];

const DEPTHWISE: readonly ConvCase[] = [
  convCase([2, 2], [5, 5], { kernel: [3, 3], pads: 1, group: 2 }),
  convCase([3, 3], [1, 1], { kernel: [3, 3], pads: 1, group: 3, activation: sigmoid, bias: false }),
  convCase([5, 5], [7, 9], { kernel: [3, 3], strides: [2, 2], pads: 1, group: 5, activation: relu }),
  convCase([8, 8], [10, 13], { kernel: [5, 5], pads: 2, group: 8, activation: relu6, batch: 2 }),
  convCase([16, 16], [8, 8], { kernel: [3, 3], pads: [0, 0, 1, 1], strides: [2, 2], group: 16 }),
  convCase([30, 30], [6, 10], { kernel: [3, 3], pads: 1, group: 30, upsample: 2, activation: leakyRelu }),
  convCase([8, 8], [45, 12], { kernel: [3, 3], strides: [2, 2], pads: 1, group: 8, activation: relu, batch: 2 }),
  convCase([30, 30], [9, 8], { kernel: [3, 3], strides: [2, 2], pads: [2, 0, 1, 3], group: 30, upsample: 1 }),
  // taller than the rows that one invocation slides over
  convCase([8, 8], [23, 7], { kernel: [3, 3], pads: 1, group: 8, upsample: 1, activation: relu, batch: 2 }),
  convCase([5, 5], [14, 11], { kernel: [3, 3], pads: 0, group: 5 }),
  convCase([16, 16], [40, 9], { kernel: [3, 3], pads: [2, 0, 1, 3], group: 16, activation: relu6 }),
  convCase([56, 56], [5, 3], { kernel: [3, 3], pads: 2, dilations: [2, 2], group: 56, upsample: 1, batch: 3 }),
  convCase([4, 4], [3, 33], { kernel: [1, 3], pads: [0, 2, 0, 0], group: 4 }),
];

const GROUPED: readonly ConvCase[] = [
  convCase([4, 4], [3, 5], { group: 2 }),
  convCase([6, 9], [7, 4], { kernel: [3, 3], pads: 1, group: 3, activation: relu }),
  convCase([24, 16], [5, 5], { kernel: [3, 3], pads: [1, 0, 2, 1], strides: [2, 2], group: 8, batch: 2 }),
  convCase([5, 10], [4, 6], { kernel: [3, 3], pads: 1, group: 5, upsample: 2, activation: leakyRelu }),
  convCase([30, 56], [3, 4], { group: 2, upsample: 1, bias: false, activation: sigmoid }),
  convCase([8, 2], [6, 5], { kernel: [2, 3], dilations: [2, 1], group: 2, activation: narrowClip, batch: 3 }),
];

/**
 * Convolutions of the published networks at an input of 640×480, whole for the benchmark; for the tests, which check the same
 * channels, smaller.
 */
export function layerCases(shrink = 1): ConvCase[] {
  const at = (stride: number): Pair => [Math.ceil(480 / stride / shrink), Math.ceil(640 / stride / shrink)];
  const window: Options = { kernel: [3, 3], pads: 1 };
  const down: Options = { ...window, strides: [2, 2] };
  return [
    convCase([3, 16], at(1), { ...down, activation: relu }),
    convCase([12, 12], at(2), { ...window, activation: relu }),
    convCase([16, 16], at(2), { activation: relu }),
    convCase([16, 16], at(2), { ...window, group: 16, activation: relu }),
    convCase([40, 40], at(4), { activation: relu }),
    convCase([40, 40], at(4), { ...down, group: 40, activation: relu }),
    convCase([24, 24], at(4), { ...window, upsample: 1, activation: relu }),
    convCase([56, 224], at(4), { upsample: 1, activation: relu }),
    convCase([224, 56], at(4), { activation: relu }),
    convCase([64, 64], at(8), { activation: relu }),
    convCase([64, 64], at(8), { ...window, activation: relu }),
    convCase([88, 88], at(8), { ...window, activation: relu }),
    convCase([64, 30], at(8), window),
    convCase([48, 80], at(16), { ...down, activation: relu }),
    convCase([152, 152], at(16), { activation: relu }),
    convCase([288, 288], at(32), { activation: relu }),
    convCase([224, 224], at(32), { ...window, activation: relu }),
  ];
}

/** The same on every run: a failure repeats. */
function randomCase(seed: number): ConvCase {
  const rng = createRng(seed);
  const pair = (make: () => number): Pair => [make(), make()];
  const kernel = pair(() => rng.int(1, 4));
  const dilations = pair(() => rng.pick([1, 1, 1, 2]));
  const size = pair(() => rng.int(1, 14));
  const pads = [0, 1, 0, 1].map((axis) => {
    // so much at least that one window fits
    const missing = (kernel[axis]! - 1) * dilations[axis]! + 1 - size[axis]!;
    return rng.int(Math.max(0, Math.ceil(missing / 2)), Math.max(kernel[axis]!, missing));
  }) as [number, number, number, number];
  const [channels, group] = randomChannels(rng);
  return convCase(channels, size, {
    ...{ kernel, dilations, pads, group },
    strides: pair(() => rng.pick([1, 1, 2, 3])),
    activation: rng.pick([{ kind: 'none' }, relu, leakyRelu, narrowClip, sigmoid]),
    upsample: rng.int(0, 1),
    bias: rng.int(0, 3) > 0,
    batch: rng.int(1, 3),
  });
}

function randomChannels(rng: Rng): [channels: Pair, group: number] {
  const groups = rng.int(2, 9);
  switch (rng.pick(['dense', 'dense', 'depthwise', 'grouped'] as const)) {
    case 'dense':
      return [[rng.int(1, 40), rng.int(1, 40)], 1];
    case 'depthwise':
      return [[groups * 2, groups * 2], groups * 2];
    case 'grouped':
      return [[groups * rng.int(1, 4), groups * rng.int(1, 4)], groups];
  }
}

export const convCases: readonly ConvCase[] = [
  ...DENSE,
  ...DEPTHWISE,
  ...GROUPED,
  ...layerCases(10),
  ...Array.from({ length: 16 }, (_, i) => randomCase(100 + i)),
];

/** One filter a channel; a single channel is that too. */
export function isDepthwise({ spec }: ConvCase): boolean {
  return spec.group === spec.inChannels && spec.group === spec.outChannels;
}

/** Rows for `it.each('%s')`: its `$name` would cut long names. */
export function named(cases: readonly ConvCase[]): [name: string, conv: ConvCase][] {
  return cases.map((conv) => [conv.name, conv]);
}
