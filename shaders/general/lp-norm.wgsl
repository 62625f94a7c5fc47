// Divides slices along one axis of a row-major tensor, seen as outer × axis × inner, by their norms.
#include "tensor/slices.wgsl"

// of squares; else of absolute values
override SQUARES: bool = true;

#include "general/slice.wgsl"

fn merge(how: u32, a: f32, b: f32) -> f32 {
  return a + b;
}

fn compute(first: i32, thread: i32) {
  var sum = 0.0;
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    let v = input[first + k * p.inner];
    sum += select(abs(v), v * v, SQUARES);
  }
  sum = merge_lanes(0, thread, sum);
  let norm = select(sum, sqrt(sum), SQUARES && sum > 0.0);
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    write(first + k * p.inner, select(input[first + k * p.inner] / norm, 0.0, norm == 0.0));
  }
}
