// Copies one input of a concatenation over channels to its place in an NC4HW4 output.
// The first channel may fall on any lane; the last input also writes the lanes beyond the last channel.
struct Params {
  count: i32,
  plane_size: i32,
  in_blocks: i32,
  // channels to copy, with the padding lanes for the last input
  in_channels: i32,
  out_blocks: i32,
  first_channel: i32,
}

alias In = f32;
alias Out = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"
fn index(n: i32, blocks: i32, channel: i32, position: i32) -> i32 {
  return ((n * blocks + channel / 4) * p.plane_size + position) * 4 + channel % 4;
}

fn compute(i: i32) {
  // neighbours in memory are the 4 lanes of a vector
  let channels = (p.in_channels + 3) / 4 * 4;
  let channel = i / 4 / p.plane_size % (channels / 4) * 4 + i % 4;
  let position = i / 4 % p.plane_size;
  let n = i / (channels * p.plane_size);
  if (channel >= p.in_channels) {
    return;
  }
  var value = 0.0;
  if (channel < p.in_blocks * 4) {
    value = f32(input[index(n, p.in_blocks, channel, position)]);
  }
  output[index(n, p.out_blocks, p.first_channel + channel, position)] = Out(value);
}
