// Depthwise 3×3 convolution of stride 1 on NC4HW4 that loads each input row once: an invocation slides down ROWS rows
// of PIXELS columns and keeps the sums of the two output rows that still miss a row. Same weights as depthwise.wgsl.
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
override WORKGROUP: u32 = 8;
const TAPS = 9;
const LAST = 8;
const ROWS = 16;
const PIXELS = 2;
// columns of input that a tile reads
const COLUMNS = 4;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  #include "software/depthwise-rows-start.wgsl"
  // sums of the output row that the next input row completes, and of the one after it
  #for i < PIXELS
  var now{i} = b;
  var next{i} = b;
  #end
  let ix = x - p.pad_left;
  for (var i = 0; i < min(ROWS, p.out_h - first) + 2; i++) {
    let iy = first - p.pad_top + i;
    let in_row = iy >= 0 && iy < p.in_h;
    let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
    #for c < COLUMNS
    let v{c} = load(row, in_row, ix + {c}, p.in_w);
    #end
    if (i >= 2) {
      let out = row_of(n, block, first + i - 2);
      #for i < PIXELS
      store(out, x + {i}, now{i} + v{i} * w6 + v{i+1} * w7 + v{i+2} * w8);
      #end
    }
    #for i < PIXELS
    now{i} = next{i} + v{i} * w3 + v{i+1} * w4 + v{i+2} * w5;
    next{i} = b + v{i} * w0 + v{i+1} * w1 + v{i+2} * w2;
    #end
  }
}
