// conv-lane.wgsl for windows, strides and padding of any size.
// requires conv-epilogue.wgsl
// requires conv.wgsl
// requires conv-lane.wgsl
enable subgroups;

const POINTWISE = false;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  convolve(gid, lane);
}
