/** IEEE 754 binary16 → float32, exact for every bit pattern including subnormals. */
export function widenFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (0x400 + fraction) * 2 ** (exponent - 25);
  });
}

/** bfloat16 is the upper half of a float32. */
export function widenBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(bits, (upper) => upper << 16).buffer);
}
