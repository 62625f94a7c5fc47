// Elementwise activation of a whole buffer, whatever its layout.
struct Params {
  count: i32,
  sigmoid: i32,
  slope: f32,
  low: f32,
  high: f32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"
alias Value = vec4f;
#include "activation.wgsl"

fn compute(i: i32) {
  let bounded = bound(vec4f(input[i]), p.slope, p.low, p.high);
  if (p.sigmoid != 0) {
    output[i] = Out(sigmoid(bounded));
  } else {
    output[i] = Out(bounded);
  }
}
