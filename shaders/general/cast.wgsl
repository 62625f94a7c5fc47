// Rounds a whole buffer, whatever its layout, to what another type can hold.
struct Params {
  count: i32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"

override TO: i32 = 0;
const FLOAT16 = 0;
const BFLOAT16 = 1;
const INTEGER = 2;
const BOOL = 3;

// to the nearest that has so many bits fewer, to the even one of two
fn shortened(magnitude: vec4u, bits: u32) -> vec4u {
  let half = (1u << (bits - 1u)) - 1u;
  return (magnitude + half + ((magnitude >> vec4u(bits)) & vec4u(1u))) & vec4u(~((1u << bits) - 1u));
}

fn to_float16(v: vec4f) -> vec4f {
  let sign = bitcast<vec4u>(v) & vec4u(0x80000000u);
  let magnitude = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  // from half a step beyond the largest on
  let infinite = magnitude >= vec4u(0x477ff000u);
  let normal = bitcast<vec4f>(sign | select(shortened(magnitude, 13u), vec4u(0x7f800000u), infinite));
  // below the least normal number steps stay as long as there
  let small = round(v * 16777216.0) / 16777216.0;
  let finite = select(normal, small, magnitude < vec4u(0x38800000u));
  return select(finite, v, magnitude > vec4u(0x7f800000u));
}

fn to_bfloat16(v: vec4f) -> vec4f {
  let rounded = bitcast<vec4f>(shortened(bitcast<vec4u>(v), 16u));
  return select(rounded, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn compute(i: i32) {
  let v = vec4f(input[i]);
  if (TO == FLOAT16) {
    output[i] = Out(to_float16(v));
  } else if (TO == BFLOAT16) {
    output[i] = Out(to_bfloat16(v));
  } else if (TO == INTEGER) {
    output[i] = Out(trunc(v));
  } else {
    output[i] = Out(select(vec4f(), vec4f(1.0), v != vec4f()));
  }
}
