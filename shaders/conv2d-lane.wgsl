// conv-lane.wgsl for windows, strides and padding of any size.
// requires conv-epilogue.wgsl
// requires conv.wgsl
// requires conv-lane.wgsl
enable subgroups;

const POINTWISE = false;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  convolve(group, index, lane);
}
