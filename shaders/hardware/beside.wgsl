// What convolutions have that may share a launch with others, see src/kernels/hardware/side-by-side.ts: invocations of a workgroup, those
// included that idle because others need more, and where weights and biases begin in arrays that they share.
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
override INVOCATIONS: u32;
override FIRST_WEIGHTS: i32 = 0;
override FIRST_BIAS: i32 = 0;

fn weight(i: i32) -> vec4f {
  return weights[FIRST_WEIGHTS + i];
}

fn bias_of(block: i32) -> vec4f {
  return bias[FIRST_BIAS + block];
}
