// Softmax over one axis of a row-major tensor seen as outer × axis × inner; one invocation does one slice.
#include "tensor/slices.wgsl"

#include "flat-index.wgsl"

// SwiftShader's exp() makes a number of what is none
fn power(v: f32) -> f32 {
  return select(exp(v), v, !(v == v));
}

fn compute(i: i32) {
  let first = i / p.inner * p.axis * p.inner + i % p.inner;
  var most = input[first];
  for (var k = 1; k < p.axis; k++) {
    most = max(most, input[first + k * p.inner]);
  }
  var sum = 0.0;
  for (var k = 0; k < p.axis; k++) {
    sum += power(input[first + k * p.inner] - most);
  }
  for (var k = 0; k < p.axis; k++) {
    output[first + k * p.inner] = power(input[first + k * p.inner] - most) / sum;
  }
}
