// One number of many along any axes of a row-major tensor. Neighbouring axes of a kind are joined, so that at most four stay and four go.
struct Params {
  // results, and elements of each
  count: i32,
  size: i32,
  kept: vec4i,
  kept_strides: vec4i,
  gone: vec4i,
  gone_strides: vec4i,
  // which WGSL has no constants for
  infinity: f32,
  nan: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

// as REDUCTIONS of kernels/general/reduce.ts has them
override REDUCTION: u32 = 0;

alias Value = f32;
#include "general/exponential.wgsl"
#include "general/lanes.wgsl"

fn merge(how: u32, a: f32, b: f32) -> f32 {
  switch (how) {
    case 2: {
      return select(a, b, b > a);
    }
    case 3: {
      return select(a, b, b < a);
    }
    case 4: {
      return a * b;
    }
    default: {
      return a + b;
    }
  }
}

// what all parts begin with: as in onnxruntime, a first number that is none stays, and of others the largest passes over them
fn start(v: f32) -> f32 {
  switch (REDUCTION) {
    case 2, 3: {
      return v;
    }
    case 4: {
      return 1.0;
    }
    default: {
      return 0.0;
    }
  }
}

// what of an element is merged
fn element(v: f32, shift: f32) -> f32 {
  switch (REDUCTION) {
    case 5: {
      return abs(v);
    }
    case 6, 7: {
      return v * v;
    }
    case 9: {
      return select(exponential(v - shift), v, !(v == v));
    }
    default: {
      return v;
    }
  }
}

fn finish(v: f32, shift: f32) -> f32 {
  switch (REDUCTION) {
    case 1: {
      return v / f32(p.size);
    }
    case 6: {
      return select(sqrt(v), v, v == 0.0 || v == p.infinity || !(v == v));
    }
    case 8, 9: {
      return select(logarithm(v) + shift, v, !(v == v));
    }
    default: {
      return v;
    }
  }
}

fn place(index: i32, dims: vec4i, strides: vec4i) -> i32 {
  var rest = index;
  var at = 0;
  for (var axis = 3; axis >= 0; axis--) {
    at += rest % dims[axis] * strides[axis];
    rest /= dims[axis];
  }
  return at;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let thread = i32(index);
  let lane = thread % LANES;
  let result = i32(group.x + group.y * groups.x) * (WORKGROUP / LANES) + thread / LANES;
  let first = place(min(result, p.count - 1), p.kept, p.kept_strides);
  var shift = 0.0;
  if (REDUCTION == 9) {
    var most = input[first];
    for (var i = lane; i < p.size; i += LANES) {
      most = max(most, input[first + place(i, p.gone, p.gone_strides)]);
    }
    most = merge_lanes(2, thread, most);
    shift = select(most, 0.0, abs(most) == p.infinity || !(most == most));
  }
  var part = start(input[first]);
  for (var i = lane; i < p.size; i += LANES) {
    part = merge(REDUCTION, part, element(input[first + place(i, p.gone, p.gone_strides)], shift));
  }
  let whole = merge_lanes(REDUCTION, thread, part);
  if (lane == 0 && result < p.count) {
    output[result] = finish(whole, shift);
  }
}
