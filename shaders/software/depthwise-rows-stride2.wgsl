// depthwise-rows.wgsl for a stride of 2: of the three input rows of an output row, the last is the first of the next.
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
override WORKGROUP: u32 = 8;
const TAPS = 9;
const LAST = 8;
const ROWS = 16;
const PIXELS = 2;
// columns of input that a tile reads
const COLUMNS = 5;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  #include "software/depthwise-rows-start.wgsl"
  // sums of the output row whose first input row was loaded
  #for i < PIXELS
  var sum{i} = b;
  #end
  let ix = x * 2 - p.pad_left;
  let top = first * 2 - p.pad_top;
  // input rows: the first of an output row, then two by two its second and its third, which is the next one's first
  for (var i = 0; i < min(ROWS, p.out_h - first) * 2 + 1; i++) {
    let iy = top + i;
    let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
    let in_row = iy >= 0 && iy < p.in_h;
    #for c < COLUMNS
    let v{c} = load(row, in_row, ix + {c}, p.in_w);
    #end
    if (i % 2 == 1) {
      #for i < PIXELS
      sum{i} += v{i*2} * w3 + v{i*2+1} * w4 + v{i*2+2} * w5;
      #end
    } else {
      let out = row_of(n, block, first + i / 2 - 1);
      #for i < PIXELS
      if (i > 0) {
        store(out, x + {i}, sum{i} + v{i*2} * w6 + v{i*2+1} * w7 + v{i*2+2} * w8);
      }
      sum{i} = b + v{i*2} * w0 + v{i*2+1} * w1 + v{i*2+2} * w2;
      #end
    }
  }
}
