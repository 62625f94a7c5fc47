// Instance and group normalisation: one workgroup normalises one group of channels of one image,
// then scales and shifts each channel. affine holds every channel's scale, then every channel's shift.
#include "tensor/group-norm-common.wgsl"
@group(0) @binding(2) var<storage, read> affine: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<Out>;

alias Value = f32;
#include "activation.wgsl"

const WORKGROUP = 64;

fn first_of(n: i32, channel: i32) -> i32 {
  if (p.packed == 0) {
    return (n * p.channels + channel) * p.plane_size;
  }
  let blocks = (p.channels + 3) / 4;
  return (n * blocks + channel / 4) * p.plane_size * 4 + channel % 4;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let thread = i32(index);
  let n = i32(group.y);
  let size = p.channels / p.groups;
  let first = i32(group.x) * size;
  let step = select(1, 4, p.packed != 0);
  let count = f32(size * p.plane_size);

  var sums = vec2f();
  for (var channel = first; channel < first + size; channel++) {
    let base = first_of(n, channel);
    for (var i = thread; i < p.plane_size; i += WORKGROUP) {
      sums.x += f32(input[base + i * step]);
    }
  }
  let center = sum_of_workgroup(thread, sums).x / count;

  sums = vec2f();
  for (var channel = first; channel < first + size; channel++) {
    let base = first_of(n, channel);
    for (var i = thread; i < p.plane_size; i += WORKGROUP) {
      let difference = f32(input[base + i * step]) - center;
      sums += vec2f(difference, difference * difference);
    }
  }
  let moments = moments_of(center, sum_of_workgroup(thread, sums), count);

  for (var channel = first; channel < first + size; channel++) {
    let base = first_of(n, channel);
    let gain = moments.scale * affine[channel];
    let shift = affine[p.channels + channel];
    for (var i = thread; i < p.plane_size; i += WORKGROUP) {
      let v = normalize(f32(input[base + i * step]), moments, gain, shift);
      output[base + i * step] = Out(bound(v, p.slope, p.low, p.high));
    }
  }
  // the lanes beyond the last channel belong to no group
  if (p.packed != 0 && first + size == p.channels) {
    for (var channel = p.channels; channel % 4 != 0; channel++) {
      let base = first_of(n, channel);
      for (var i = thread; i < p.plane_size; i += WORKGROUP) {
        output[base + i * 4] = Out(0.0);
      }
    }
  }
}
