// Maximum or mean over height and width on NC4HW4; one workgroup reduces one plane of vec4.
struct Params {
  plane_size: u32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

const WORKGROUP = 64u;
override AVERAGE: bool = true;

var<workgroup> partial: array<vec4f, WORKGROUP>;

fn merge(a: vec4f, b: vec4f) -> vec4f {
  if (AVERAGE) {
    return a + b;
  }
  return max(a, b);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = group.x + group.y * 65535u;
  var value = select(vec4f(-3.4028234e38), vec4f(), AVERAGE);
  for (var i = thread; i < p.plane_size; i += WORKGROUP) {
    value = merge(value, vec4f(input[plane * p.plane_size + i]));
  }
  partial[thread] = value;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (thread < half) {
      partial[thread] = merge(partial[thread], partial[thread + half]);
    }
    workgroupBarrier();
  }
  if (thread == 0u && plane < arrayLength(&output)) {
    output[plane] = Out(select(partial[0], partial[0] / f32(p.plane_size), AVERAGE));
  }
}
