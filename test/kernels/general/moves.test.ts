import { describe, expect, it } from 'vitest';
import { rowMajorStrides, sizeOf } from '../../../src/common/tensor.ts';
import { PAD_MODES, type PadMode, pad, padImage } from '../../../src/kernels/general/pad.ts';
import { packPicks, take } from '../../../src/kernels/general/take.ts';
import { topK } from '../../../src/kernels/general/top-k.ts';
import { packOnCpu } from '../../../src/kernels/nc4hw4.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

/** The numbers of an axis with those beyond its ends, -1 where a value stands. */
function padAxis(size: number, before: number, behind: number, mode: PadMode): number[] {
  const all = Array.from({ length: size }, (_, i) => i);
  const kept = all.slice(Math.max(0, -before), size - Math.max(0, -behind));
  const at = (i: number) => {
    if (i >= 0 && i < kept.length) return kept[i]!;
    if (mode === 'wrap') return kept[((i % kept.length) + kept.length) % kept.length]!;
    if (mode === 'reflect') return kept[i < 0 ? -i : 2 * (kept.length - 1) - i]!;
    return mode === 'constant' ? -1 : kept.at(i < 0 ? 0 : -1)!;
  };
  const first = -Math.max(0, before);
  return Array.from({ length: kept.length + Math.max(0, before) + Math.max(0, behind) }, (_, i) => at(first + i));
}

function padded(data: Float32Array, dims: readonly number[], pads: readonly number[], mode: PadMode, value: number) {
  const axes = dims.map((size, i) => padAxis(size, pads[i]!, pads[dims.length + i]!, mode));
  const outDims = axes.map(({ length }) => length);
  const strides = rowMajorStrides(outDims);
  const inStrides = rowMajorStrides(dims);
  const numbers = Array.from({ length: sizeOf(outDims) }, (_, i) => {
    const places = axes.map((axis, k) => axis[Math.floor(i / strides[k]!) % outDims[k]!]!);
    return places.includes(-1) ? value : data[places.reduce((at, place, k) => at + place * inStrides[k]!, 0)]!;
  });
  return { outDims, numbers: Float32Array.from(numbers) };
}

const PADS: readonly (readonly [dims: number[], pads: number[]])[] = [
  [[5], [2, 3]],
  [
    [3, 4],
    [-1, 2, 1, -2],
  ],
  [
    [2, 5, 3, 4],
    [0, 2, 1, 3, 1, 4, 2, 0],
  ],
  [
    [1, 6, 3, 4],
    [0, -2, 0, -1, 0, 0, -1, 2],
  ],
  [
    [3, 9, 2, 3],
    [0, 3, 0, 0, 0, 0, 1, 1],
  ],
  [
    [2, 2, 2, 3, 2, 2, 2, 3],
    [1, 0, 0, 2, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, -1],
  ],
];

describe.each(PAD_MODES)('pad, %s', (mode) => {
  it.each(PADS)('%j by %j', async (dims, pads) => {
    const kept = dims.map((dim, i) => dim + Math.min(0, pads[i]!) + Math.min(0, pads[dims.length + i]!));
    const fitting = pads.map((amount, i) =>
      mode === 'reflect' ? Math.min(amount, kept[i % dims.length]! - 1) : amount,
    );
    const data = createRng(sizeOf(dims)).floats(sizeOf(dims));
    const spec = { dims, pads: fitting, mode, value: 0.25 };
    const { outDims, numbers } = padded(data, dims, fitting, mode, 0.25);
    const plain = new Float32Array(await runDispatch(pad(spec), [data])).slice(0, numbers.length);
    expect(plain).toEqual(numbers);
    if (dims.length !== 4) return;
    const [batch, channels, height, width] = dims as [number, number, number, number];
    const packed = await runDispatch(padImage(spec), [packOnCpu(data, { batch, channels, height, width })]);
    expect(unpackOnCpu(new Float32Array(packed), outDims as [number, number, number, number])).toEqual(numbers);
  });
});

it.each([
  [1, 5, 1, [4, 0, 4]],
  [3, 4, 5, [1]],
  [2, 7, 3, Array.from({ length: 90 }, (_, i) => (i * 3) % 7)],
] as const)('take of %i × %i × %i', async (outer, axis, inner, picks) => {
  const data = createRng(axis).floats(outer * axis * inner);
  const output = new Float32Array(await runDispatch(take(outer, axis, inner, picks.length), [data, packPicks(picks)]));
  const expected = Float32Array.from({ length: outer * picks.length * inner }, (_, i) => {
    const run = Math.floor(i / inner);
    return data[(Math.floor(run / picks.length) * axis + picks[run % picks.length]!) * inner + (i % inner)]!;
  });
  expect(output.slice(0, expected.length)).toEqual(expected);
});

describe.each([true, false])('top-k, largest %s', (largest) => {
  it.each([
    [1, 1, 1, 1],
    [2, 9, 3, 4],
    [1, 300, 1, 300],
    [5, 6, 1, 2],
  ])('%i × %i × %i, the first %i', async (outer, axis, inner, k) => {
    // few different numbers, of which some are alike
    const data = createRng(axis)
      .floats(outer * axis * inner, -4, 4)
      .map(Math.trunc);
    const first = (o: number, i: number) =>
      Array.from({ length: axis }, (_, at) => ({ at, value: data[(o * axis + at) * inner + i]! }))
        .sort((a, b) => (largest ? b.value - a.value : a.value - b.value) || a.at - b.at)
        .slice(0, k);
    const expected = { values: new Float32Array(outer * k * inner), indices: new Float32Array(outer * k * inner) };
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        first(o, i).forEach(({ at, value }, place) => {
          expected.values[(o * k + place) * inner + i] = value;
          expected.indices[(o * k + place) * inner + i] = at;
        });
      }
    }
    for (const part of ['values', 'indices'] as const) {
      const output = await runDispatch(topK({ outer, axis, inner, k, largest, part }), [data]);
      const numbers = new Float32Array(output).slice(0, expected[part].length);
      // both zeros are one
      expect(numbers.map((value) => value + 0)).toEqual(expected[part].map((value) => value + 0));
    }
  });
});
