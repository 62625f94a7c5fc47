// Two tensors on NC4HW4, element by element, each broadcast over any of its dimensions: the shaders that include this say what apply()
// does with two of a Value, which is vec4f.
struct Params {
  channels: i32,
  blocks: i32,
  height: i32,
  width: i32,
  count: i32,
  // 1: a single channel stands for all of them
  a_splat: i32,
  b_splat: i32,
  unused: i32,
  // strides in vectors of batch, block, row and column; 0 where broadcast
  a_strides: vec4i,
  b_strides: vec4i,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<In>;
@group(0) @binding(2) var<storage, read> b: array<In>;
@group(0) @binding(3) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"
alias Value = vec4f;

fn at(strides: vec4i, position: vec4i) -> i32 {
  let offsets = strides * position;
  return offsets.x + offsets.y + offsets.z + offsets.w;
}

fn compute(i: i32) {
  let x = i % p.width;
  let y = i / p.width % p.height;
  let plane = i / p.width / p.height;
  let block = plane % p.blocks;
  let position = vec4i(plane / p.blocks, block, y, x);
  let va = vec4f(a[at(p.a_strides, position)]);
  let vb = vec4f(b[at(p.b_strides, position)]);
  let v = apply(select(va, vec4f(va.x), p.a_splat != 0), select(vb, vec4f(vb.x), p.b_splat != 0));
  // 0 / 0 in the lanes beyond the last channel would poison later sums
  output[i] = Out(select(vec4f(), v, vec4i(0, 1, 2, 3) < vec4i(p.channels - block * 4)));
}
