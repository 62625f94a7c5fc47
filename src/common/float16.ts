/** IEEE 754 binary16 → float32, exact for every bit pattern including subnormals. */
export function widenFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  // what a fraction counts for, by exponent; with a hidden bit from 1 on
  const steps = Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));
  const wide = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i]! >> 10) & 0x1f;
    const fraction = bits[i]! & 0x3ff;
    let value: number;
    if (exponent === 0x1f) value = fraction ? NaN : Infinity;
    else value = (exponent === 0 ? fraction : fraction + 0x400) * steps[exponent]!;
    wide[i] = bits[i]! & 0x8000 ? -value : value;
  }
  return wide;
}

/** bfloat16 is the upper half of a float32. */
export function widenBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const wide = new Uint32Array(bits);
  for (let i = 0; i < wide.length; i++) wide[i]! <<= 16;
  return new Float32Array(wide.buffer);
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
