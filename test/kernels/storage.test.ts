import { describe, expect, it } from 'vitest';
import { toHalf, widenFloat16 } from '../../src/common/float16.ts';
import { loadEveryMethod } from '../../src/graph/load-target.ts';
import { planConv, possibleMethods, withPrecision } from '../../src/kernels/conv/methods.ts';
import { withHalfImages } from '../../src/kernels/dispatch.ts';
import { pack } from '../../src/kernels/nc4hw4.ts';
import { resize } from '../../src/kernels/tensor/resize.ts';
import { softmax } from '../../src/kernels/tensor/softmax.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';
import { checkConvSteps } from './support/check-conv.ts';
import { convCases, named } from './support/conv-cases.ts';

describe('toHalf', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
  const isNan = (bits: number) => (bits & 0x7fff) > 0x7c00;

  it('gives every half its own bits, and NaN for NaN', () => {
    const again = toHalf(widenFloat16(all));
    all.forEach((bits) => {
      if (isNan(bits)) expect(isNan(again[bits]!)).toBe(true);
      else expect(again[bits]).toBe(bits);
    });
  });

  it('takes the nearest, the even one of two', () => {
    const finite = all.filter((bits) => bits < 0x7c00);
    const values = widenFloat16(finite);
    const between = values.slice(1).map((value, i) => (value + values[i]!) / 2);
    expect([...toHalf(between)]).toEqual([...between.keys()].map((i) => (i % 2 === 0 ? i : i + 1)));
    // a little beyond and before the middle
    const up = between.map((value) => value * (1 + 2 ** -20));
    expect([...toHalf(up)].every((bits, i) => bits === i + 1)).toBe(true);
    const down = between.map((value) => value * (1 - 2 ** -20));
    expect([...toHalf(down)].every((bits, i) => bits === i)).toBe(true);
  });

  it.each([
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-65520, 0xfc00],
    [1e38, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -25, 0],
    [-(2 ** -25) * 1.01, 0x8001],
    [1e-40, 0],
    [-0, 0x8000],
  ])('%d → %i', (value, bits) => expect(toHalf(Float32Array.of(value))[0]).toBe(bits));
});

describe('withHalfImages', () => {
  const spec = { batch: 1, channels: 6, inHeight: 2, inWidth: 2, outHeight: 4, outWidth: 4 };

  it('changes the images it is told of and nothing else', () => {
    const single = resize(spec);
    const both = withHalfImages(single, { inputs: true, output: true });
    expect(both.source).toMatch(/^enable f16;\n/);
    expect(both.source).toContain('alias In = vec4h;');
    expect(both.source).toContain('alias Out = vec4h;');
    const [input, taps, output] = single.bindingBytes as [number, number, number];
    expect(both.bindingBytes).toEqual([input / 2, taps, output / 2]);
    const last = withHalfImages(single, { inputs: true, output: false });
    expect(last.source).toContain('alias Out = vec4f;');
    expect(last.bindingBytes).toEqual([input / 2, taps, output]);
    expect(withHalfImages(single, { inputs: false, output: false })).toBe(single);
  });

  it('knows scalars too', () => {
    const dispatch = withHalfImages(pack({ batch: 1, channels: 4, height: 2, width: 2 }), {
      inputs: false,
      output: true,
    });
    expect(dispatch.bindingBytes).toEqual([64, 32]);
  });

  it('throws for a kernel without images', () => {
    expect(() => withHalfImages(softmax(1, 2, 1), { inputs: true, output: false })).toThrow(
      'softmax.wgsl has no line "alias In = …;"',
    );
  });
});

describe('convolutions of half floats', async () => {
  const { device, traits } = await openGpu();
  const target = await loadEveryMethod(traits);
  const supported = device.features.has('shader-f16');
  const cases = convCases.filter((_, i) => i % 3 === 0);
  for (const [name, conv] of named(cases)) {
    it.skipIf(!supported).each(possibleMethods(conv.spec, target))(`${name}: %s`, async (method) => {
      const { launches, weightOrder } = planConv(method, conv.spec, target);
      const steps = launches.map((launch) => {
        const { dispatch, operands, weightsRange } = withPrecision(launch, 'f16');
        return { dispatch, buffers: operands, ranges: { weights: weightsRange } };
      });
      const amplification = method.startsWith('winograd') ? 3 : 1;
      const pack = (weights: Float32Array, spec: typeof conv.spec) => weightOrder.pack(weights, spec);
      await checkConvSteps(conv, steps, pack, amplification, 'f16');
    });
  }
});

it('random halves survive', () => {
  const values = createRng(1).floats(1000);
  const once = widenFloat16(toHalf(values));
  expect(widenFloat16(toHalf(once))).toEqual(once);
  once.forEach((value, i) => {
    expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(Math.max(2 ** -25, Math.abs(values[i]!) * 2 ** -11));
  });
});
