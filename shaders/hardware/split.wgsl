// What the convolutions that split their taps have in common, see conv2d-split.ts. Their shapes are overrides, so that the
// compiler knows them: a launch that waits for loads has no time to compute where they are from.
#include "hardware/beside.wgsl"
override IN_BLOCKS: i32;
override IN_H: i32;
override IN_W: i32;
override OUT_BLOCKS: i32;
override OUT_W: i32;
override STRIDE_W: i32;
// invocations side by side, of neighbouring pixels; of neighbouring channels; ways in which the taps are split
override LANES: i32;
override SLICES: i32;
override SPLIT: i32;
// pixels and blocks of four channels of one invocation
const PIXELS = 4;
const BLOCKS = 1;
// sums of one invocation
const SUMS = 4;
override WORKERS: i32;
override SHARED_VECTORS: u32;
var<workgroup> shared_vectors: array<vec4f, SHARED_VECTORS>;

// index of the weights of an invocation's first block; those of a tap are 8 further
fn first_weight(block: i32, taps: i32) -> i32 {
  return ((block >> 1u) * taps * 2 + (block & 1)) * 4;
}
