// main of the shaders with one invocation an element, whose grid is `flatGrid` of p.count: one dimension of workgroups may not
// suffice. compute() is theirs.
override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = i32(gid.x + gid.y * groups.x * WORKGROUP);
  if (i < p.count) {
    compute(i);
  }
}
