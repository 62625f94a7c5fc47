// main of the shaders in which LANES invocations share a slice along one axis of a row-major tensor, seen as outer × axis × inner. compute() is theirs; all of
// a workgroup come to its ends together, and what it writes goes through write().
#include "general/lanes.wgsl"

var<private> beyond: bool;

fn write(at: i32, v: f32) {
  // invocations without a slice have gone along with another's
  if (!beyond) {
    output[at] = v;
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let thread = i32(index);
  let slice = i32(group.x + group.y * groups.x) * (WORKGROUP / LANES) + thread / LANES;
  beyond = slice >= p.count;
  let i = min(slice, p.count - 1);
  compute(i / p.inner * p.axis * p.inner + i % p.inner, thread);
}
