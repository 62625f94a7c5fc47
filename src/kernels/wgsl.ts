import type { Dispatch } from './dispatch.ts';

/** How images are stored between kernels, and constants that are added to or multiplied with them; sums are float32. */
export type Precision = (typeof PRECISIONS)[number];

export const PRECISIONS = ['f32', 'f16'] as const;

/** Which images of a launch are stored as half floats. */
interface HalfImages {
  readonly inputs: boolean;
  readonly output: boolean;
}

/** A launch whose images, the bindings declared as arrays of `In` and of `Out`, are half floats. */
export function withHalfImages(dispatch: Dispatch, { inputs, output }: HalfImages): Dispatch {
  const names = [...(inputs ? ['In'] : []), ...(output ? ['Out'] : [])];
  if (names.length === 0) return dispatch;
  let { source } = dispatch;
  const bindingBytes = [...dispatch.bindingBytes];
  for (const name of names) {
    const alias = new RegExp(`^alias ${name} = (vec4f|f32);$`, 'm');
    if (!alias.test(source)) throw new Error(`${dispatch.kernel}.wgsl has no line "alias ${name} = …;"`);
    source = source.replace(alias, (_, type: string) => `alias ${name} = ${type === 'f32' ? 'f16' : 'vec4h'};`);
    for (const [, binding] of source.matchAll(
      new RegExp(`@binding\\((\\d+)\\) ?var<[^>]*> ?\\w+: ?array<${name}>`, 'g'),
    )) {
      bindingBytes[Number(binding) - 1]! /= 2;
    }
  }
  return { ...dispatch, source: `enable f16;\n${source}`, bindingBytes };
}

/** The bits of half floats: to nearest, ties to even; what is too large becomes infinite. */
export function toHalf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  return Uint16Array.from(bits, (single) => {
    const sign = (single >>> 16) & 0x8000;
    const magnitude = single & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;
    // from 65520 on, half a step beyond the largest
    if (magnitude >= 0x477ff000) return sign | 0x7c00;
    // below the least normal number steps stay as long as there
    if (magnitude < 0x38800000) {
      const shift = 126 - (magnitude >>> 23);
      return shift > 24 ? sign : sign | roundShift((magnitude & 0x7fffff) | 0x800000, shift);
    }
    return sign | (roundShift(magnitude, 13) - (112 << 10));
  });
}

/** `value / 2^shift`, ties to even. */
function roundShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const quotient = Math.floor(value / 2 ** shift);
  const rest = value - quotient * 2 ** shift;
  return rest > half || (rest === half && quotient % 2 === 1) ? quotient + 1 : quotient;
}
