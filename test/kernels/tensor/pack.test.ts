import { describe, expect, it } from 'vitest';
import { pack, packOnCpu, unpack } from '../../../src/kernels/nc4hw4.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { createRng } from '../../support/rng.ts';
import { type Dims4, randomImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

const CASES: readonly Dims4[] = [
  [1, 1, 1, 1],
  [1, 3, 4, 5],
  [2, 4, 3, 3],
  [3, 5, 7, 2],
  [1, 30, 1, 9],
  [2, 56, 11, 13],
];

describe.each(CASES.map((dims) => [dims.join('×'), dims] as const))('%s', (_, dims) => {
  const [batch, channels, height, width] = dims;
  const spec = { batch, channels, height, width };
  const { data, packed } = randomImage(createRng(1), dims);

  it('pack is packOnCpu, zeros in the lanes beyond the last channel', async () => {
    expect(new Float32Array(await runDispatch(pack(spec), [data]))).toEqual(packOnCpu(data, spec));
  });

  it('unpack undoes it', async () => {
    const output = new Float32Array(await runDispatch(unpack(spec), [packed])).subarray(0, data.length);
    expect(output).toEqual(data);
    expect(unpackOnCpu(packed, dims)).toEqual(data);
  });
});

it('puts four channels in a vector', () => {
  const values = Array.from({ length: 12 }, (_, i) => i + 1);
  expect(Array.from(packOnCpu(values, { batch: 1, channels: 6, height: 1, width: 2 }))).toEqual([
    ...[1, 3, 5, 7, 2, 4, 6, 8],
    ...[9, 11, 0, 0, 10, 12, 0, 0],
  ]);
});

it('splits a flat grid that is too long', () => {
  const spec = { batch: 1, channels: 4, height: 2100, width: 2000 };
  const [columns, rows] = pack(spec).workgroups;
  expect(columns).toBeLessThanOrEqual(65535);
  expect(rows).toBe(2);
  expect(columns * rows * 64).toBeGreaterThanOrEqual(2100 * 2000);
});

it('packs behind the first row of workgroups', async () => {
  const spec = { batch: 1, channels: 1, height: 2100, width: 2000 };
  const data = new Float32Array(2100 * 2000).map((_, i) => i);
  const output = new Float32Array(await runDispatch(pack(spec), [data]));
  expect(data.findIndex((value, i) => output[i * 4] !== value || output[i * 4 + 3] !== 0)).toBe(-1);
});
