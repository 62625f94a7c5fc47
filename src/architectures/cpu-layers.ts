import type { Random } from '../common/random.ts';
import type { ConvLayer, PoolKind } from './layers.ts';

/** One picture's values, channel by channel. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

type ConvShape = Pick<ConvLayer, 'channels' | 'kernel' | 'stride' | 'depthwise'>;

function emptyPlanes(channels: number, height: number, width: number): Planes {
  return { channels, height, width, data: new Float32Array(channels * height * width) };
}

/** Blocks of colour at several sizes, as photographs have them, and noise. */
export function calibrationPicture(random: Random, width: number, height: number): Planes {
  const picture = emptyPlanes(3, height, width);
  for (const [size, amplitude] of [
    [32, 0.6],
    [8, 0.5],
    [1, 0.6],
  ] as const) {
    const columns = width / size;
    const grid = Float32Array.from({ length: (columns * height * 3) / size }, () => random.uniform(-1, 1) * amplitude);
    for (let i = 0; i < picture.data.length; i++) {
      const row = Math.floor(Math.floor(i / width) / size);
      picture.data[i]! += grid[row * columns + Math.floor((i % width) / size)]!;
    }
  }
  return picture;
}

/** A frame of zeros around every channel. */
function padded(x: Planes, pad: number): Planes {
  if (pad === 0) return x;
  const out = emptyPlanes(x.channels, x.height + 2 * pad, x.width + 2 * pad);
  for (let row = 0; row < x.channels * x.height; row++) {
    const to = Math.floor(row / x.height) * out.height + pad + (row % x.height);
    out.data.set(x.data.subarray(row * x.width, (row + 1) * x.width), to * out.width + pad);
  }
  return out;
}

/** A convolution with a padding of `(kernel - 1) / 2`. */
export function convolve(x: Planes, weights: Float32Array, { channels, kernel, stride, depthwise }: ConvShape): Planes {
  const out = emptyPlanes(channels, Math.ceil(x.height / stride), Math.ceil(x.width / stride));
  const { data, width, height } = padded(x, (kernel - 1) / 2);
  const inputs = depthwise ? 1 : x.channels;
  const taps = inputs * kernel ** 2;
  const offsets = Array.from({ length: taps }, (_, tap) => {
    const row = Math.floor(tap / kernel) % kernel;
    return Math.floor(tap / kernel ** 2) * width * height + row * width + (tap % kernel);
  });
  // every place of the framed rows, those that straddle two rows too: one long loop is fastest
  const sums = new Float32Array((x.height - 1) * width + x.width);
  for (let channel = 0; channel < channels; channel++) {
    const base = depthwise ? channel * width * height : 0;
    sums.fill(0);
    for (let tap = 0; tap < taps; tap += 4) {
      const [a = 0, b = 0, c = 0, d = 0] = weights.subarray(
        channel * taps + tap,
        channel * taps + Math.min(taps, tap + 4),
      );
      const [ao = 0, bo = 0, co = 0, eo = 0] = offsets.slice(tap, tap + 4);
      for (let i = 0, at = base; i < sums.length; i++, at++) {
        sums[i]! += a * data[at + ao]! + b * data[at + bo]! + c * data[at + co]! + d * data[at + eo]!;
      }
    }
    for (let i = 0; i < out.height * out.width; i++) {
      const row = Math.floor(i / out.width) * stride;
      out.data[channel * out.height * out.width + i] = sums[row * width + (i % out.width) * stride]!;
    }
  }
  return out;
}

/** The maximum or the average of windows of `side`×`side`, cut at the edges. */
export function pool(x: Planes, kind: PoolKind, side: number): Planes {
  const out = emptyPlanes(x.channels, Math.ceil(x.height / side), Math.ceil(x.width / side));
  for (let i = 0; i < out.data.length; i++) {
    const left = (i % out.width) * side;
    const top = (Math.floor(i / out.width) % out.height) * side;
    const channel = Math.floor(i / out.width / out.height);
    let sum = 0;
    let max = -Infinity;
    let count = 0;
    for (let y = top; y < Math.min(x.height, top + side); y++) {
      for (let column = left; column < Math.min(x.width, left + side); column++) {
        const value = x.data[(channel * x.height + y) * x.width + column]!;
        sum += value;
        max = Math.max(max, value);
        count++;
      }
    }
    out.data[i] = kind === 'max' ? max : sum / count;
  }
  return out;
}

export function upsample(x: Planes): Planes {
  const out = emptyPlanes(x.channels, x.height * 2, x.width * 2);
  for (let i = 0; i < out.data.length; i++) {
    const row = Math.floor(i / out.width);
    // rows of all channels lie below each other, so halving a row finds its channel too
    out.data[i] = x.data[Math.floor(row / 2) * x.width + Math.floor((i % out.width) / 2)]!;
  }
  return out;
}

export function relu(x: Planes): Planes {
  return { ...x, data: x.data.map((value) => Math.max(0, value)) };
}

export function add(a: Planes, b: Planes): Planes {
  return { ...a, data: a.data.map((value, i) => value + b.data[i]!) };
}

/** `value * factor + shift`, with one factor and one shift a channel. */
export function affine(x: Planes, factors: ArrayLike<number>, shifts: ArrayLike<number>): Planes {
  const channelOf = (i: number) => Math.floor(i / (x.height * x.width));
  return { ...x, data: x.data.map((value, i) => value * factors[channelOf(i)]! + shifts[channelOf(i)]!) };
}

export interface Statistics {
  readonly mean: Float32Array<ArrayBuffer>;
  readonly variance: Float32Array<ArrayBuffer>;
}

/** Mean and variance of every one of `groups` equal parts of the channels. */
export function measure({ data }: Planes, groups: number): Statistics {
  const size = data.length / groups;
  const mean = new Float32Array(groups);
  const variance = new Float32Array(groups);
  for (let group = 0; group < groups; group++) {
    const part = data.subarray(group * size, (group + 1) * size);
    const average = part.reduce((sum, value) => sum + value, 0) / size;
    mean[group] = average;
    variance[group] = part.reduce((sum, value) => sum + (value - average) ** 2, 0) / size;
  }
  return { mean, variance };
}

export function groupNorm(x: Planes, groups: number, epsilon: number): Planes {
  const { mean, variance } = measure(x, groups);
  const perGroup = x.channels / groups;
  const groupOf = (channel: number) => Math.floor(channel / perGroup);
  const factors = Array.from({ length: x.channels }, (_, i) => 1 / Math.sqrt(variance[groupOf(i)]! + epsilon));
  const shifts = factors.map((factor, i) => -mean[groupOf(i)]! * factor);
  return affine(x, factors, shifts);
}
