// conv-lane.wgsl for 1×1 convolutions of stride 1 without padding: neither windows nor bounds.
// requires conv-epilogue.wgsl
// requires conv.wgsl
// requires conv-lane.wgsl
enable subgroups;

const POINTWISE = true;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  convolve(group, index, lane);
}
