// Logarithm of the softmax over one axis of a row-major tensor seen as outer × axis × inner; LANES invocations share a slice.
struct Params {
  // outer × inner
  count: i32,
  axis: i32,
  inner: i32,
  infinity: f32,
  nan: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

alias Value = f32;
#include "general/exponential.wgsl"
#include "general/slice.wgsl"

fn merge(how: u32, a: f32, b: f32) -> f32 {
  return select(a + b, max(a, b), how == 1);
}

fn compute(first: i32, thread: i32) {
  var most = input[first];
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    most = max(most, input[first + k * p.inner]);
  }
  most = merge_lanes(1, thread, most);
  var sum = 0.0;
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    let v = input[first + k * p.inner] - most;
    sum += select(exponential(v), v, !(v == v));
  }
  sum = merge_lanes(0, thread, sum);
  let total = select(log(sum), sum, !(sum == sum));
  for (var k = thread % LANES; k < p.axis; k += LANES) {
    write(first + k * p.inner, input[first + k * p.inner] - most - total);
  }
}
