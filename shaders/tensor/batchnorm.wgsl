// Batch normalisation that no convolution could take: x * scale + shift a channel, on NC4HW4.
// affine holds every block's scale, then every block's shift.
struct Params {
  blocks: i32,
  plane_size: i32,
  count: i32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read> affine: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  let block = i / p.plane_size % p.blocks;
  output[i] = Out(vec4f(input[i]) * affine[block] + affine[p.blocks + block]);
}
