// 1×1 convolution on NC4HW4, any stride. An invocation computes PIXELS pixels, LANES apart, of BLOCKS blocks of channels, from its
// part of the input channels. weights: as conv2d-direct.wgsl.
#include "hardware/split.wgsl"
override STRIDE_H: i32;
override OUT_H: i32;
// blocks of input channels of one way; of a last way that has fewer, some are left out
override SHARE: i32;
const UNROLL = 1;

#include "hardware/split-pixel.wgsl"

fn finish(n: i32, pixel: vec2i, block: i32, sum: vec4f) {
  store(row_of(n, block, pixel.y), pixel.x, sum + bias_of(block));
}

// where a pixel's input begins
fn source_of(n: i32, pixel: vec2i) -> i32 {
  let y = min(pixel.y, OUT_H - 1);
  return (n * IN_BLOCKS * IN_H + y * STRIDE_H) * IN_W + pixel.x * STRIDE_W;
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  #include "hardware/split-start.wgsl"
  #for p < PIXELS
  let source{p} = source_of(n, pixel_of(i32(group.x), lane, {p}));
  #end
  let first_w = first_weight(block, IN_BLOCKS);
  for (var start = way * SHARE; start < min((way + 1) * SHARE, IN_BLOCKS); start += UNROLL) {
    #for j < UNROLL
    {
      let in_block = min(start + {j}, IN_BLOCKS - 1);
      let w = first_w + in_block * 8;
      #include "hardware/split-weights.wgsl"
      #for p < PIXELS
      {
        let v = select(vec4f(), vec4f(input[source{p} + in_block * (IN_H * IN_W)]), start + {j} < IN_BLOCKS);
        #for q < BLOCKS
        sum{p*BLOCKS+q} = fma(vec4f(v.x), w{q}_x, sum{p*BLOCKS+q});
        sum{p*BLOCKS+q} = fma(vec4f(v.y), w{q}_y, sum{p*BLOCKS+q});
        sum{p*BLOCKS+q} = fma(vec4f(v.z), w{q}_z, sum{p*BLOCKS+q});
        sum{p*BLOCKS+q} = fma(vec4f(v.w), w{q}_w, sum{p*BLOCKS+q});
        #end
      }
      #end
    }
    #end
  }
  #include "hardware/split-end.wgsl"
}
