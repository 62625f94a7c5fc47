// The second of two launches of a group normalisation: every workgroup joins the sums of its group's parts, in the same order, and
// normalises its own part. affine: as group-norm.wgsl.
#include "tensor/group-norm-common.wgsl"
@group(0) @binding(2) var<storage, read> affine: array<f32>;
@group(0) @binding(3) var<storage, read> part_sums: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> output: array<Out>;

alias Value = f32;
#include "activation.wgsl"

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
  for (var i = thread; i < i32(parts.x); i += WORKGROUP) {
    let part = part_sums[first_part + i];
    sums += vec2f(part.w * part.x, part.w);
  }
  let all = sum_of_workgroup(thread, sums);
  let center = all.x / all.y;
  sums = vec2f();
  for (var i = thread; i < i32(parts.x); i += WORKGROUP) {
    let part = part_sums[first_part + i];
    // the part's sums as they are from the group's center
    let away = part.x - center;
    sums += vec2f(part.w * away + part.y, part.z + away * (2.0 * part.y + part.w * away));
  }
  let moments = moments_of(center, sum_of_workgroup(thread, sums), all.y);

  let gain = moments.scale * affine[channel];
  let shift = affine[p.channels + channel];
  // the lanes beyond the last channel belong to no group
  let padding = (channel >= p.channels) & (first + size == p.channels) & (row < rows);
  #for v < VALUES
  if (in{v} | (padding & (i{v} < row_size))) {
    let v = bound(normalize(x{v}, moments, gain, shift), p.slope, p.low, p.high);
    output[base + i{v}] = Out(select(0.0, v, in{v}));
  }
  #end
}
