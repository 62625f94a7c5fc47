// Instance and group normalisation: one workgroup normalises one group of channels of one image,
// then scales and shifts each channel. affine holds every channel's scale, then every channel's shift.
struct Params {
  channels: i32,
  groups: i32,
  plane_size: i32,
  // 1: NC4HW4, 0: row-major
  packed: i32,
  low: f32,
  high: f32,
  slope: f32,
  epsilon: f32,
}

alias In = f32;
alias Out = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read> affine: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<Out>;

alias Value = f32;
#include "activation.wgsl"

const WORKGROUP = 64;
var<workgroup> partial: array<f32, WORKGROUP>;

fn first_of(n: i32, channel: i32) -> i32 {
  if (p.packed == 0) {
    return (n * p.channels + channel) * p.plane_size;
  }
  let blocks = (p.channels + 3) / 4;
  return (n * blocks + channel / 4) * p.plane_size * 4 + channel % 4;
}

fn sum_of_workgroup(thread: i32, value: f32) -> f32 {
  workgroupBarrier();
  partial[thread] = value;
  workgroupBarrier();
  for (var half = WORKGROUP / 2; half > 0; half /= 2) {
    if (thread < half) {
      partial[thread] += partial[thread + half];
    }
    workgroupBarrier();
  }
  return partial[0];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let thread = i32(index);
  let n = i32(group.y);
  let size = p.channels / p.groups;
  let first = i32(group.x) * size;
  let step = select(1, 4, p.packed != 0);
  let count = f32(size * p.plane_size);

  var sum = 0.0;
  for (var channel = first; channel < first + size; channel++) {
    let base = first_of(n, channel);
    for (var i = thread; i < p.plane_size; i += WORKGROUP) {
      sum += f32(input[base + i * step]);
    }
  }
  let mean = sum_of_workgroup(thread, sum) / count;

  sum = 0.0;
  for (var channel = first; channel < first + size; channel++) {
    let base = first_of(n, channel);
    for (var i = thread; i < p.plane_size; i += WORKGROUP) {
      let difference = f32(input[base + i * step]) - mean;
      sum += difference * difference;
    }
  }
  let scale = inverseSqrt(sum_of_workgroup(thread, sum) / count + p.epsilon);

  for (var channel = first; channel < first + size; channel++) {
    let base = first_of(n, channel);
    let gain = scale * affine[channel];
    let shift = affine[p.channels + channel];
    for (var i = thread; i < p.plane_size; i += WORKGROUP) {
      // subtract first: two products far from zero would cancel
      let v = (f32(input[base + i * step]) - mean) * gain + shift;
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
