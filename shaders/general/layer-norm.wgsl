// Layer normalisation of the last elements of a row-major tensor: (x - mean) / sqrt(variance + epsilon) · scale + shift. Squares are of differences from
// the mean, so that they round by the spread of the numbers.
struct Params {
  count: i32,
  axis: i32,
  // 1: elements of a slice lie side by side
  inner: i32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
// all scales, then all shifts
@group(0) @binding(2) var<storage, read> affine: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

#include "general/slice.wgsl"

fn merge(how: u32, a: f32, b: f32) -> f32 {
  return a + b;
}

fn compute(first: i32, thread: i32) {
  var sum = 0.0;
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    sum += input[first + k];
  }
  let mean = merge_lanes(0, thread, sum) / f32(p.axis);
  sum = 0.0;
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    let difference = input[first + k] - mean;
    sum += difference * difference;
  }
  let variance = merge_lanes(0, thread, sum) / f32(p.axis);
  let factor = inverseSqrt(variance + p.epsilon);
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    write(first + k, (input[first + k] - mean) * factor * affine[k] + affine[p.axis + k]);
  }
}
