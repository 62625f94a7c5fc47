// The first of two launches of an instance or group normalisation: of every part of a group the sums of differences from the group's
// center, and of their squares, and that center, the mean of numbers from all over the group. Differences round by their spread;
// the mean of the numbers themselves would be off by a few ULPs of its own, which is much where they lie far from zero and close together.
#include "tensor/group-norm-common.wgsl"
@group(0) @binding(2) var<storage, read_write> parts: array<vec4f>;

const SAMPLES = 256;

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  #include "tensor/group-norm-start.wgsl"
  var sums = vec2f();
  for (var i = thread; i < SAMPLES; i += WORKGROUP) {
    let number = i * (count / SAMPLES);
    sums.x += f32(input[first_of(n, first + number / p.plane_size) + number % p.plane_size * p.step]);
  }
  let center = sum_of_workgroup(thread, sums).x / f32(SAMPLES);
  sums = vec2f();
  for (var channel = first + thread % LANES; channel < first + size; channel += LANES) {
    let base = first_of(n, channel);
    // by channel: long sums round more
    var sum = vec2f();
    for (var i = begin + thread / LANES; i < end; i += WORKGROUP / LANES) {
      let difference = f32(input[base + i * p.step]) - center;
      sum += vec2f(difference, difference * difference);
    }
    sums += sum;
  }
  sums = sum_of_workgroup(thread, sums);
  if (thread == 0) {
    parts[first_part + i32(group.x)] = vec4f(sums, center, 0.0);
  }
}
