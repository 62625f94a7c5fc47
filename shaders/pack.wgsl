// NCHW → NC4HW4; the lanes beyond the last channel become 0.
struct Params {
  channels: i32,
  blocks: i32,
  plane_size: i32,
  count: i32,
}

alias Out = vec4f;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  let plane = i / p.plane_size;
  let channel = plane % p.blocks * 4;
  let first = (plane / p.blocks * p.channels + channel) * p.plane_size + i % p.plane_size;
  var v = vec4f();
  for (var lane = 0; lane < min(4, p.channels - channel); lane++) {
    v[lane] = input[first + lane * p.plane_size];
  }
  output[i] = Out(v);
}
