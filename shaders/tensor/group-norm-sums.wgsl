// The first of two launches of a group normalisation: every part's center, the sums of differences from it and of their squares, and the
// number of its numbers.
#include "tensor/group-norm-common.wgsl"
@group(0) @binding(2) var<storage, read_write> part_sums: array<vec4f>;

const WORKGROUP = 128;
const VALUES = 8;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) parts: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  #include "tensor/group-norm-part.wgsl"
  var sums = vec2f();
  #for v < VALUES
  sums += vec2f(x{v}, select(0.0, 1.0, in{v}));
  #end
  let all = sum_of_workgroup(thread, sums);
  // groups whose channels fill no whole blocks may have fewer parts than others
  let center = all.x / max(all.y, 1.0);
  sums = vec2f();
  #for v < VALUES
  let d{v} = select(0.0, x{v} - center, in{v});
  sums += vec2f(d{v}, d{v} * d{v});
  #end
  sums = sum_of_workgroup(thread, sums);
  if (thread == 0) {
    part_sums[first_part + i32(group.x)] = vec4f(center, sums, all.y);
  }
}
