// Where along one axis of a row-major tensor, seen as outer × axis × inner, the largest or smallest number is.
#include "tensor/slices.wgsl"

override LEAST: bool = false;
// of equal ones the last
override LAST: bool = false;

#include "flat-index.wgsl"

fn compute(i: i32) {
  let first = i / p.inner * p.axis * p.inner + i % p.inner;
  var best = input[first];
  var at = 0;
  for (var k = 1; k < p.axis; k++) {
    let v = input[first + k * p.inner];
    let beyond = select(v > best, v < best, LEAST);
    if (beyond || (LAST && v == best)) {
      best = v;
      at = k;
    }
  }
  output[i] = f32(at);
}
