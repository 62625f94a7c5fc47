// The k first of the middle of a row-major outer × axis × inner tensor, by size: every invocation counts what comes before its own
// element, which is where that goes. Of equals the first comes first.
struct Params {
  count: i32,
  axis: i32,
  inner: i32,
  k: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

override LARGEST: bool = true;
// the elements' numbers along the axis, not the elements
override INDICES: bool = false;

// ordered as the numbers are, and whole for what is no number; both zeros are one
fn key_of(v: f32) -> i32 {
  let bits = bitcast<i32>(select(v, 0.0, v == 0.0));
  let key = select(bits, bits ^ 0x7fffffff, bits < 0);
  return select(~key, key, LARGEST);
}

fn compute(i: i32) {
  let outer = i / (p.axis * p.inner);
  let own = i / p.inner % p.axis;
  let first = outer * p.axis * p.inner + i % p.inner;
  let key = key_of(input[i]);
  var rank = 0;
  for (var other = 0; other < p.axis && rank < p.k; other++) {
    let another = key_of(input[first + other * p.inner]);
    if (another > key || (another == key && other < own)) {
      rank++;
    }
  }
  if (rank < p.k) {
    output[(outer * p.k + rank) * p.inner + i % p.inner] = select(input[i], f32(own), INDICES);
  }
}
