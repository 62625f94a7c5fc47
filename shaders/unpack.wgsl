// NC4HW4 → NCHW.
struct Params {
  channels: i32,
  blocks: i32,
  plane_size: i32,
  count: i32,
}

alias In = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  let plane = i / p.plane_size;
  let channel = plane % p.channels;
  let block = plane / p.channels * p.blocks + channel / 4;
  output[i] = f32(input[(block * p.plane_size + i % p.plane_size) * 4 + channel % 4]);
}
