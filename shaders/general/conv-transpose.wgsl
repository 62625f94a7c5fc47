// Transposed convolution on NC4HW4; one invocation computes one vec4 over output channels.
// weights: [block][kernel row][kernel column][channel of the group] of vec4 over the block's channels.
struct Params {
  out_channels: i32,
  out_h: i32,
  out_w: i32,
  in_channels: i32,
  in_h: i32,
  in_w: i32,
  kernel_h: i32,
  kernel_w: i32,
  stride_h: i32,
  stride_w: i32,
  pad_top: i32,
  pad_left: i32,
  dilation_h: i32,
  dilation_w: i32,
  groups: i32,
  count: i32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"

// whether the four channels of every vector are of one group
override ONE_GROUP: bool = true;

fn compute(i: i32) {
  let blocks = (p.out_channels + 3) / 4;
  let in_blocks = (p.in_channels + 3) / 4;
  let x = i % p.out_w;
  let y = i / p.out_w % p.out_h;
  let plane = i / (p.out_w * p.out_h);
  let block = plane % blocks;
  let first_block = plane / blocks * in_blocks;
  let group_out = p.out_channels / p.groups;
  let group_in = p.in_channels / p.groups;
  // of the lanes beyond the last channel the weights are zeros
  let group = min((block * 4 + vec4i(0, 1, 2, 3)) / group_out, vec4i(p.groups - 1)) * group_in;
  var sum = bias[block];
  for (var ky = 0; ky < p.kernel_h; ky++) {
    let row = y + p.pad_top - ky * p.dilation_h;
    if (row < 0 || row % p.stride_h != 0 || row / p.stride_h >= p.in_h) {
      continue;
    }
    for (var kx = 0; kx < p.kernel_w; kx++) {
      let column = x + p.pad_left - kx * p.dilation_w;
      if (column < 0 || column % p.stride_w != 0 || column / p.stride_w >= p.in_w) {
        continue;
      }
      let pixel = row / p.stride_h * p.in_w + column / p.stride_w;
      let tap = ((block * p.kernel_h + ky) * p.kernel_w + kx) * group_in;
      for (var k = 0; k < group_in; k++) {
        let channel = group + k;
        let at = (first_block + channel / 4) * p.in_h * p.in_w + pixel;
        var v = vec4f(f32(input[at.x][channel.x % 4]));
        if (!ONE_GROUP) {
          v.y = f32(input[at.y][channel.y % 4]);
          v.z = f32(input[at.z][channel.z % 4]);
          v.w = f32(input[at.w][channel.w % 4]);
        }
        sum += weights[tap + k] * v;
      }
    }
  }
  output[i] = Out(sum);
}
