// Local response normalisation over the middle of a row-major outer × channels × inner tensor.
struct Params {
  count: i32,
  channels: i32,
  inner: i32,
  // channels of a window before and behind its own
  before: i32,
  behind: i32,
  // alpha / size
  scale: f32,
  beta: f32,
  bias: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  let channel = i / p.inner % p.channels;
  var sum = 0.0;
  for (var k = max(-p.before, -channel); k <= min(p.behind, p.channels - 1 - channel); k++) {
    let v = input[i + k * p.inner];
    sum += v * v;
  }
  output[i] = input[i] / pow(p.bias + p.scale * sum, p.beta);
}
