// Dense 2-D convolution on NC4HW4, any kernel, stride, padding and dilation. An invocation computes PIXELS pixels, below each
// other, of BLOCKS blocks of channels, from its part of the columns of the kernel, and reuses what it loads for all of them.
// weights: as conv2d-direct.wgsl.
#include "hardware/split.wgsl"
override PAD_TOP: i32;
override PAD_LEFT: i32;
override DILATION_W: i32;
const KERNEL_H = 3;
const KERNEL_W = 3;
const STRIDE_H = 1;
const DILATION_H = 1;
// rows of input that PIXELS pixels need, and columns of the kernel in one step
const ROWS = 6;
const COLUMNS = 3;

// x and y of an invocation's pixel
fn pixel_of(group: i32, lane: i32, p: i32) -> vec2i {
  let column = group * LANES + lane;
  return vec2i(column % OUT_W, column / OUT_W * PIXELS + p);
}

fn finish(n: i32, pixel: vec2i, block: i32, sum: vec4f) {
  store(row_of(n, block, pixel.y), pixel.x, sum + bias_of(block));
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  #include "hardware/split-start.wgsl"
  let first = pixel_of(i32(group.x), lane, 0);
  let top = first.y * STRIDE_H - PAD_TOP;
  let left = first.x * STRIDE_W - PAD_LEFT;
  let first_w = first_weight(block, IN_BLOCKS * KERNEL_H * KERNEL_W);
  let steps = select(0, IN_BLOCKS * (KERNEL_W / COLUMNS), way < SPLIT);
  for (var step = way; step < steps; step += SPLIT) {
    let in_block = step * COLUMNS / KERNEL_W;
    let plane = (n * IN_BLOCKS + in_block) * IN_H + top;
    #for c < COLUMNS
    {
      let kx = step * COLUMNS % KERNEL_W + {c};
      let x = left + kx * DILATION_W;
      let in_row = u32(x) < u32(IN_W);
      #for r < ROWS
      let v{r} = select(vec4f(), vec4f(input[max((plane + {r}) * IN_W + x, 0)]), in_row & (u32(top + {r}) < u32(IN_H)));
      #end
      #for k < KERNEL_H
      {
        let w = first_w + ((in_block * KERNEL_H + {k}) * KERNEL_W + kx) * 8;
        #include "hardware/split-weights.wgsl"
        #for p < PIXELS
        #for q < BLOCKS
        sum{p*BLOCKS+q} = fma(vec4f(v{p*STRIDE_H+k*DILATION_H}.x), w{q}_x, sum{p*BLOCKS+q});
        sum{p*BLOCKS+q} = fma(vec4f(v{p*STRIDE_H+k*DILATION_H}.y), w{q}_y, sum{p*BLOCKS+q});
        sum{p*BLOCKS+q} = fma(vec4f(v{p*STRIDE_H+k*DILATION_H}.z), w{q}_z, sum{p*BLOCKS+q});
        sum{p*BLOCKS+q} = fma(vec4f(v{p*STRIDE_H+k*DILATION_H}.w), w{q}_w, sum{p*BLOCKS+q});
        #end
        #end
      }
      #end
    }
    #end
  }
  #include "hardware/split-end.wgsl"
}
