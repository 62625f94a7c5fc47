import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/common/tensor.ts';
import type { Dispatch } from '../../../src/kernels/dispatch.ts';
import { concat, concatChannels } from '../../../src/kernels/tensor/concat.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { concat as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { type Dims4, randomImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

/** Runs one dispatch an input into one output. */
async function runAll(parts: readonly (readonly [Dispatch, Float32Array])[]): Promise<Float32Array> {
  let output: Float32Array | undefined;
  for (const [dispatch, input] of parts) output = new Float32Array(await runDispatch(dispatch, [input], output));
  return output!;
}

const PLAIN: readonly (readonly [axis: number, dims: readonly number[][]])[] = [
  [0, [[3], [1], [70]]],
  [
    0,
    [
      [2, 3],
      [1, 3],
    ],
  ],
  [
    1,
    [
      [2, 3],
      [2, 1],
      [2, 5],
    ],
  ],
  [
    1,
    [
      [2, 30, 4],
      [2, 5, 4],
    ],
  ],
  [
    2,
    [
      [3, 2, 3],
      [3, 2, 4],
      [3, 2, 1],
    ],
  ],
  [
    3,
    [
      [1, 2, 3, 4],
      [1, 2, 3, 5],
    ],
  ],
  [
    1,
    [
      [1, 6, 2, 2, 3],
      [1, 1, 2, 2, 3],
    ],
  ],
  [0, [[2, 2, 2]]],
];

describe('concat', () => {
  it.each(PLAIN.map(([axis, dims]) => [axis, dims.map((d) => d.join('×')).join(' + '), dims] as const))(
    'axis %i of %s',
    async (axis, _, dims) => {
      const rng = createRng(1);
      const inputs = dims.map((d) => ({ dims: d, data: rng.floats(sizeOf(d)) }));
      const expected = reference(inputs, axis);
      const outer = sizeOf(expected.dims.slice(0, axis));
      const outputRun = sizeOf(expected.dims.slice(axis));
      let offset = 0;
      const parts = inputs.map((input) => {
        const inputRun = sizeOf(input.dims.slice(axis));
        const dispatch = concat({ outer, inputRun, outputRun, offset });
        offset += inputRun;
        return [dispatch, input.data] as const;
      });
      const output = await runAll(parts);
      expect(output.subarray(0, expected.data.length)).toEqual(Float32Array.from(expected.data));
    },
  );
});

describe('concatChannels', () => {
  const place: readonly (readonly number[])[] = [
    [4, 4],
    [8, 16, 8],
    [1, 1],
    [1, 2, 3, 4],
    [5, 3],
    [3, 6],
    [2, 3, 2],
    [7],
    [30, 1],
    [1, 56, 2],
  ];
  it.each(place.flatMap((channels) => [1, 3].map((batch) => [channels.join(' + '), batch, channels] as const)))(
    '%s channels, batch %i',
    async (_, batch, channels) => {
      const rng = createRng(1);
      const [height, width] = [3, 5];
      const outChannels = channels.reduce((sum, count) => sum + count);
      const images = channels.map((count) => randomImage(rng, [batch, count, height, width]));
      let firstChannel = 0;
      const parts = images.map(({ packed }, i) => {
        const inChannels = channels[i]!;
        const dispatch = concatChannels({ batch, height, width, inChannels, outChannels, firstChannel });
        firstChannel += inChannels;
        return [dispatch, packed] as const;
      });
      const output = unpackOnCpu(await runAll(parts), [batch, outChannels, height, width] satisfies Dims4);
      expect(output).toEqual(Float32Array.from(reference(images, 1).data));
    },
  );

  it('leaves the other inputs’ lanes alone', async () => {
    const spec = { batch: 1, height: 1, width: 1, inChannels: 1, outChannels: 3, firstChannel: 1 };
    const output = await runDispatch(concatChannels(spec), [new Float32Array([9, 8, 8, 8])]);
    expect(Array.from(new Float32Array(output))).toEqual([Number.NaN, 9, Number.NaN, Number.NaN]);
  });
});
