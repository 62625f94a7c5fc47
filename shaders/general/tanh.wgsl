// Hyperbolic tangent of a whole buffer, whatever its layout.
struct Params {
  count: i32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

#include "flat-index.wgsl"
alias Value = vec4f;
#include "activation.wgsl"

fn compute(i: i32) {
  // where exp() is finite; beyond, float32 has no other result
  let v = limit(vec4f(input[i]), vec4f(-16.0), vec4f(16.0));
  output[i] = Out(select(1.0 - 2.0 / (exp(2.0 * v) + 1.0), v, !(v == v)));
}
