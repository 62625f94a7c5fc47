import { expect, it } from 'vitest';
import { toHalf, widenFloat16 } from '../../../src/common/float16.ts';
import { type CastType, cast } from '../../../src/kernels/general/cast.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

/** To the nearest upper half of a float32, ties to even. */
function toBfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0]!;
}

const EXPECTED: Record<CastType, (value: number) => number> = {
  float16: (value) => widenFloat16(toHalf(Float32Array.of(value)))[0]!,
  bfloat16: toBfloat16,
  integer: Math.trunc,
  bool: (value) => (value === 0 ? 0 : 1),
};

// ties of half floats, and the largest and least of them
const EDGES = [
  0, 1, -1, 0.5, 2049, 2051, -4098, 65504, 65519.9, 65520, -1e6, 6e-8, 2.9e-8, 3e-8, -1e-7, 6.1e-5, 6.09e-5,
];

it.each(Object.keys(EXPECTED) as CastType[])('to %s', async (type) => {
  const rng = createRng(7);
  const data = Float32Array.from({ length: 1024 }, (_, i) => EDGES[i] ?? rng.uniform(-1, 1) * 10 ** rng.int(-9, 6));
  const output = new Float32Array(await runDispatch(cast(type, data.length / 4), [data]));
  expect(output.map((value) => value + 0)).toEqual(data.map((value) => EXPECTED[type](value) + 0));
});

it.each(['float16', 'bfloat16'] as const)('%s keeps what is no number, and what is no finite one', async (type) => {
  const data = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0);
  expect(new Float32Array(await runDispatch(cast(type, 1), [data]))).toEqual(data);
});
