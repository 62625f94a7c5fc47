// Pads a part of NC4HW4 images, along channels and the batch, too. Neighbours in memory are the 4 lanes of a vector.
struct Params {
  // batch, channels, height, width
  dims: vec4i,
  // the input's
  in_dims: vec4i,
  // of the part that is padded: where it begins, and its sizes
  starts: vec4i,
  sizes: vec4i,
  // elements before the part
  before: vec4i,
  count: i32,
  value: f32,
}

alias In = f32;
alias Out = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"
#include "general/pad-source.wgsl"

fn compute(i: i32) {
  let blocks = (p.dims.y + 3) / 4;
  let pixel = i / 4;
  let block = pixel / (p.dims.z * p.dims.w);
  let channel = block % blocks * 4 + i % 4;
  if (channel >= p.dims.y) {
    output[i] = Out(0.0);
    return;
  }
  let place = vec4i(block / blocks, channel, pixel / p.dims.w % p.dims.z, pixel % p.dims.w) - p.before;
  let part = vec4i(
    source_of(place.x, p.sizes.x),
    source_of(place.y, p.sizes.y),
    source_of(place.z, p.sizes.z),
    source_of(place.w, p.sizes.w),
  );
  if (any(part < vec4i())) {
    output[i] = Out(p.value);
    return;
  }
  let source = part + p.starts;
  let in_blocks = (p.in_dims.y + 3) / 4;
  let row = ((source.x * in_blocks + source.y / 4) * p.in_dims.z + source.z) * p.in_dims.w;
  output[i] = Out(input[(row + source.w) * 4 + source.y % 4]);
}
