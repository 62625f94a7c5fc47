// Resize on NC4HW4 by tables: every output row and column names two inputs and the weight of the second.
// table holds the rows' entries, then the columns'.
struct Params {
  in_h: i32,
  in_w: i32,
  out_h: i32,
  out_w: i32,
}

struct Entry {
  first: i32,
  second: i32,
  weight: f32,
  unused: i32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read> table: array<Entry>;
@group(0) @binding(3) var<storage, read_write> output: array<Out>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let y = i32(gid.x) / p.out_w;
  let x = i32(gid.x) % p.out_w;
  let plane = i32(gid.y);
  if (y >= p.out_h) {
    return;
  }
  let row = table[y];
  let column = table[p.out_h + x];
  let above = (plane * p.in_h + row.first) * p.in_w;
  let below = (plane * p.in_h + row.second) * p.in_w;
  // the weights are exactly 0 for nearest, which mix() keeps exact
  let top = mix(vec4f(input[above + column.first]), vec4f(input[above + column.second]), column.weight);
  let bottom = mix(vec4f(input[below + column.first]), vec4f(input[below + column.second]), column.weight);
  output[(plane * p.out_h + y) * p.out_w + x] = Out(mix(top, bottom, row.weight));
}
