// Depthwise 2-D convolution (one filter a channel) on NC4HW4, any kernel, stride, padding and dilation. An invocation computes
// PIXELS pixels below each other of one vec4 over channels, and reuses the rows that they share. Its shape is compiled in.
// weights: as depthwise.wgsl.
#include "hardware/beside.wgsl"
override IN_BLOCKS: i32;
override IN_H: i32;
override IN_W: i32;
override OUT_W: i32;
override PAD_TOP: i32;
override PAD_LEFT: i32;
override STRIDE_W: i32;
override DILATION_W: i32;
// invocations of a workgroup that compute
override WORKGROUP: u32;
const PIXELS = 4;
const KERNEL_H = 3;
const KERNEL_W = 3;
const STRIDE_H = 1;
const DILATION_H = 1;
// rows of input that PIXELS pixels need
const ROWS = 6;

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  if (index >= WORKGROUP) {
    return;
  }
  let column = i32(group.x * WORKGROUP + index);
  let x = column % OUT_W;
  let y = column / OUT_W * PIXELS;
  let block = i32(group.y);
  let n = i32(group.z);
  let top = y * STRIDE_H - PAD_TOP;
  let left = x * STRIDE_W - PAD_LEFT;
  let plane = (n * IN_BLOCKS + block) * IN_H + top;
  #for p < PIXELS
  var sum{p} = bias_of(block);
  #end
  #for c < KERNEL_W
  {
    let ix = left + {c} * DILATION_W;
    let in_row = u32(ix) < u32(IN_W);
    #for r < ROWS
    let v{r} = select(vec4f(), vec4f(input[max((plane + {r}) * IN_W + ix, 0)]), in_row & (u32(top + {r}) < u32(IN_H)));
    #end
    #for k < KERNEL_H
    let w{k} = weight((block * KERNEL_H + {k}) * KERNEL_W + {c});
    #end
    #for p < PIXELS
    #for k < KERNEL_H
    sum{p} = fma(v{p*STRIDE_H+k*DILATION_H}, w{k}, sum{p});
    #end
    #end
  }
  #end
  #for p < PIXELS
  store(row_of(n, block, y + {p}), x, sum{p});
  #end
}
