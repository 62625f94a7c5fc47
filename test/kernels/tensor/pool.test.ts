import { describe, expect, it } from 'vitest';
import { inferDims } from '../../../src/graph/operators/index.ts';
import { type PoolSpec, pool } from '../../../src/kernels/tensor/pool.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { averagePool, maxPool } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { type Dims4, randomImage, type TestImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

interface Case {
  readonly dims: Dims4;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly ceilMode: boolean;
}

function poolCase(dims: Dims4, options: Partial<Omit<Case, 'dims'>>): Case {
  const defaults = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], ceilMode: false } as const;
  return { dims, kernel: [2, 2], ...defaults, ...options };
}

const CASES: readonly Case[] = [
  poolCase([1, 4, 8, 8], { strides: [2, 2] }),
  poolCase([1, 1, 1, 1], { kernel: [1, 1] }),
  poolCase([2, 5, 7, 9], { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  poolCase([1, 3, 6, 5], { kernel: [3, 2], strides: [1, 2], pads: [0, 1, 2, 0] }),
  poolCase([1, 8, 7, 9], { strides: [2, 2], ceilMode: true }),
  poolCase([3, 2, 6, 7], { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceilMode: true }),
  poolCase([1, 6, 10, 11], { kernel: [3, 3], strides: [4, 3], pads: [1, 0, 0, 2], ceilMode: true }),
  // the last window would start in the padding, so there is none
  poolCase([1, 4, 4, 4], { strides: [3, 3], pads: [1, 1, 1, 1], ceilMode: true }),
  poolCase([1, 5, 3, 40], { kernel: [3, 13], pads: [1, 6, 1, 6] }),
  poolCase([2, 3, 9, 10], { dilations: [2, 3] }),
  poolCase([1, 7, 11, 8], { kernel: [3, 3], strides: [2, 1], pads: [2, 2, 2, 2], dilations: [2, 2] }),
  poolCase([1, 4, 10, 9], { kernel: [3, 2], strides: [3, 2], pads: [1, 0, 2, 1], dilations: [2, 3], ceilMode: true }),
];

const KINDS = [
  ['max', false],
  ['average', false],
  ['average', true],
] as const;

function specOf(c: Case, kind: PoolSpec['kind'], countIncludePad: boolean): PoolSpec {
  const { ceilMode, dims, ...window } = c;
  const node = {
    op: 'Pool',
    name: 'pool',
    inputs: ['x'],
    output: 'y',
    kind,
    ceilMode,
    countIncludePad,
    ...window,
  } as const;
  const [, , outHeight, outWidth] = inferDims(node, () => dims) as unknown as Dims4;
  const [batch, channels, inHeight, inWidth] = dims;
  return { kind, batch, channels, inHeight, inWidth, outHeight, outWidth, ...window, countIncludePad };
}

/** Window by window; the shared reference knows no dilation. */
function reference({ data }: TestImage, spec: PoolSpec): number[] {
  const { inHeight, inWidth, pads } = spec;
  const output: number[] = [];
  for (let plane = 0; plane < spec.batch * spec.channels; plane++) {
    for (let oy = 0; oy < spec.outHeight; oy++) {
      for (let ox = 0; ox < spec.outWidth; ox++) {
        const [y, x] = [oy * spec.strides[0] - pads[0], ox * spec.strides[1] - pads[1]];
        const values: number[] = [];
        let padded = 0;
        for (let ky = 0; ky < spec.kernel[0]; ky++) {
          for (let kx = 0; kx < spec.kernel[1]; kx++) {
            const iy = y + ky * spec.dilations[0];
            const ix = x + kx * spec.dilations[1];
            if (iy < inHeight + pads[2] && ix < inWidth + pads[3]) padded++;
            if (iy < 0 || ix < 0 || iy >= inHeight || ix >= inWidth) continue;
            values.push(data[(plane * inHeight + iy) * inWidth + ix]!);
          }
        }
        const sum = values.reduce((total, value) => total + value, 0);
        const mean = sum / (spec.countIncludePad ? padded : values.length);
        output.push(spec.kind === 'max' ? Math.max(...values) : mean);
      }
    }
  }
  return output;
}

function titleOf({ dims, kernel, strides, pads, dilations, ceilMode }: Case): string {
  return `${dims.join('×')} k${kernel} s${strides} p${pads} d${dilations}${ceilMode ? ' ceil' : ''}`;
}

describe.each(KINDS)('pool %s, countIncludePad %j', (kind, countIncludePad) => {
  it.each(CASES.map((c) => [titleOf(c), c] as const))('%s', async (_, c) => {
    const spec = specOf(c, kind, countIncludePad);
    const { batch, channels, outHeight, outWidth } = spec;
    const image = randomImage(createRng(1), c.dims);
    const output = new Float32Array(await runDispatch(pool(spec), [image.packed]));
    const area = c.kernel[0] * c.kernel[1];
    expectClose(unpackOnCpu(output, [batch, channels, outHeight, outWidth]), reference(image, spec), {
      abs: kind === 'max' ? 0 : (Math.sqrt(area) + 2) * 2 ** -24,
      reason: kind === 'max' ? 'exact' : `a float32 sum of ${area} numbers below 1 and a division of 2.5 ULP`,
    });
  });
});

describe('the reference of these tests', () => {
  const undilated = CASES.filter(({ dilations }) => dilations.join() === '1,1');
  it.each(undilated.map((c) => [titleOf(c), c] as const))('is the shared one where that goes: %s', (_, c) => {
    const image = randomImage(createRng(1), c.dims);
    for (const [kind, countIncludePad] of KINDS) {
      const { dims, data } = kind === 'max' ? maxPool(image, c) : averagePool(image, { ...c, countIncludePad });
      const spec = specOf(c, kind, countIncludePad);
      expect(dims).toEqual([spec.batch, spec.channels, spec.outHeight, spec.outWidth]);
      expect(reference(image, spec)).toEqual(Array.from(data));
    }
  });
});

describe('windows far larger than the image end soon', () => {
  const side = 2 ** 27;
  it.each(KINDS)('%s, countIncludePad %j', async (kind, countIncludePad) => {
    const pad = side / 2;
    const spec = specOf(
      poolCase([1, 5, 6, 7], { kernel: [side, side], pads: [pad, pad, pad, pad] }),
      kind,
      countIncludePad,
    );
    const { batch, channels, outHeight, outWidth } = spec;
    expect([outHeight, outWidth]).toEqual([7, 8]);
    const image = randomImage(createRng(1), [1, 5, 6, 7]);
    const output = new Float32Array(await runDispatch(pool(spec), [image.packed]));
    // every window holds the whole image
    const expected = Array.from({ length: channels }, (_, channel) => {
      const plane = image.data.subarray(channel * 42, (channel + 1) * 42);
      const sum = plane.reduce((total, value) => total + value, 0);
      const value = kind === 'max' ? Math.max(...plane) : sum / (countIncludePad ? side ** 2 : 42);
      return new Array<number>(outHeight * outWidth).fill(value);
    });
    expectClose(unpackOnCpu(output, [batch, channels, outHeight, outWidth]), expected.flat(), {
      rel: kind === 'max' ? 0 : 1e-5,
      reason: 'a float32 sum of 42 numbers',
    });
  });
});

it('states its bindings and workgroups', () => {
  const { bindingBytes, workgroups } = pool(specOf(poolCase([2, 5, 20, 10], { strides: [2, 1] }), 'max', false));
  expect(bindingBytes).toEqual([2 * 2 * 200 * 16, 2 * 2 * 90 * 16]);
  expect(workgroups).toEqual([2, 4, 1]);
});
