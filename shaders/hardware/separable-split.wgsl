// Depthwise convolution and the pointwise one behind it, on NC4HW4: what lies between them stays in the workgroup's memory. A
// workgroup computes LANES × PIXELS pixels of the depthwise convolution, all channels, and from them its SLICES × BLOCKS blocks of
// channels of the pointwise one, split over its ways like pointwise-split.wgsl. Slices further on compute the former again.
// weights: those of depthwise.wgsl, then those of conv2d-direct.wgsl. bias: likewise.
#include "hardware/split.wgsl"
override OUT_H: i32;
override STRIDE_H: i32;
override PAD_TOP: i32;
override PAD_LEFT: i32;
override DILATION_H: i32;
override DILATION_W: i32;
const KERNEL_H = 3;
const KERNEL_W = 3;
// the activation between the two
override SLOPE: f32;
override LOW: f32;
override HIGH: f32;
// whether it has these bounds: overrides must be finite
override HAS_LOW: bool;
override HAS_HIGH: bool;
// blocks of input channels of one way
override SHARE: i32;

#include "hardware/split-pixel.wgsl"

fn finish(n: i32, pixel: vec2i, block: i32, sum: vec4f) {
  store(row_of(n, block, pixel.y), pixel.x, sum + bias_of(IN_BLOCKS + block));
}

// what the depthwise convolution gives for a pixel
fn between(n: i32, block: i32, pixel: vec2i) -> vec4f {
  let top = min(pixel.y, OUT_H - 1) * STRIDE_H - PAD_TOP;
  let left = pixel.x * STRIDE_W - PAD_LEFT;
  let first = ((n * IN_BLOCKS + block) * IN_H + top) * IN_W + left;
  var sum = bias_of(block);
  // in the order of depthwise-columns.wgsl, for the same bits
  #for c < KERNEL_W
  #for k < KERNEL_H
  {
    let inside = (u32(top + {k} * DILATION_H) < u32(IN_H)) & (u32(left + {c} * DILATION_W) < u32(IN_W));
    let v = select(vec4f(), vec4f(input[max(first + {k} * DILATION_H * IN_W + {c} * DILATION_W, 0)]), inside);
    sum = fma(v, weight((block * KERNEL_H + {k}) * KERNEL_W + {c}), sum);
  }
  #end
  #end
  sum = select(sum * SLOPE, sum, sum >= vec4f());
  sum = select(sum, vec4f(LOW), (sum < vec4f(LOW)) & vec4<bool>(HAS_LOW));
  return select(sum, vec4f(HIGH), (sum > vec4f(HIGH)) & vec4<bool>(HAS_HIGH));
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  #include "hardware/split-start.wgsl"
  for (var i = i32(index); i < IN_BLOCKS * PIXELS * LANES; i += i32(INVOCATIONS)) {
    let unit = i / LANES;
    shared_vectors[i] = between(n, unit / PIXELS, pixel_of(i32(group.x), i % LANES, unit % PIXELS));
  }
  workgroupBarrier();
  let first_w = IN_BLOCKS * (KERNEL_H * KERNEL_W) + first_weight(block, IN_BLOCKS);
  for (var in_block = way * SHARE; in_block < min((way + 1) * SHARE, IN_BLOCKS); in_block++) {
    let w = first_w + in_block * 8;
    #include "hardware/split-weights.wgsl"
    #for p < PIXELS
    {
      let v = shared_vectors[(in_block * PIXELS + {p}) * LANES + lane];
      #for q < BLOCKS
      sum{p*BLOCKS+q} = fma(vec4f(v.x), w{q}_x, sum{p*BLOCKS+q});
      sum{p*BLOCKS+q} = fma(vec4f(v.y), w{q}_y, sum{p*BLOCKS+q});
      sum{p*BLOCKS+q} = fma(vec4f(v.z), w{q}_z, sum{p*BLOCKS+q});
      sum{p*BLOCKS+q} = fma(vec4f(v.w), w{q}_w, sum{p*BLOCKS+q});
      #end
    }
    #end
  }
  // the sums go where the pixels were
  workgroupBarrier();
  #include "hardware/split-end.wgsl"
}
