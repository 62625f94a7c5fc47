// How all convolution kernels end: residual, activation, store. Their bindings are params, residual and output.
// What a convolution does not have is left out by overrides: software rasterisers run both sides of a branch.
override RESIDUAL: bool;
override SIGMOID: bool;

struct Params {
  in_blocks: i32,
  in_h: i32,
  in_w: i32,
  out_blocks: i32,
  out_h: i32,
  out_w: i32,
  kernel_h: i32,
  kernel_w: i32,
  stride_h: i32,
  stride_w: i32,
  pad_top: i32,
  pad_left: i32,
  dilation_h: i32,
  dilation_w: i32,
  // channels of one group; the whole tensor where there is one group
  group_in: i32,
  group_out: i32,
  out_channels: i32,
  // where there is a residual: add residual[y >> upsample][x >> upsample]; software rasterisers divide slowly
  upsample: u32,
  // its size: where a kernel shifted the output's, NVIDIA's compiler (driver 580.159) took the height for the width
  residual_h: i32,
  residual_w: i32,
  // vectors between the weights of one image and of the next; 0: all images share them. For lane.wgsl
  weights_step: i32,
  // the first block of output, where a launch computes a part of the channels. For lane.wgsl
  first_block: i32,
  slope: f32,
  low: f32,
  high: f32,
}

alias Value = vec4f;
#include "activation.wgsl"

fn activate(v: vec4f) -> vec4f {
  let bounded = bound(v, params.slope, params.low, params.high);
  if (SIGMOID) {
    return sigmoid(bounded);
  }
  return bounded;
}

// A row of four channels of output: what its pixels share.
struct Row {
  inside: bool,
  // index of its first pixel
  first: i32,
  // the row of the residual that it gets
  residual_row: i32,
}

fn row_of(n: i32, block: i32, y: i32) -> Row {
  let plane = n * params.out_blocks + block;
  let inside = y < params.out_h && block < params.out_blocks;
  let residual_row = plane * params.residual_h + (y >> params.upsample);
  return Row(inside, (plane * params.out_h + y) * params.out_w, residual_row);
}

fn store(row: Row, x: i32, sum: vec4f) {
  if (row.inside && x < params.out_w) {
    var v = sum;
    if (RESIDUAL) {
      v += vec4f(residual[row.residual_row * params.residual_w + (x >> params.upsample)]);
    }
    output[row.first + x] = Out(activate(v));
  }
}
