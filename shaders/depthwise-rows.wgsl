// Depthwise 3×3 convolution of stride 1 on NC4HW4 that loads each input row once: an invocation slides down 10 rows
// of 2 columns and keeps the sums of the two output rows that still miss a row. Same weights as depthwise.wgsl.
// requires conv.wgsl
override WORKGROUP: u32 = 64;
const PIXELS = 2;
const ROWS = 10;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let tiles_x = (p.out_w + PIXELS - 1) / PIXELS;
  let first = i32(gid.x) / tiles_x * ROWS;
  let x = i32(gid.x) % tiles_x * PIXELS;
  let block = i32(gid.y);
  let n = i32(gid.z);
  let w = block * 9;
  let w0 = weights[w];
  let w1 = weights[w + 1];
  let w2 = weights[w + 2];
  let w3 = weights[w + 3];
  let w4 = weights[w + 4];
  let w5 = weights[w + 5];
  let w6 = weights[w + 6];
  let w7 = weights[w + 7];
  let w8 = weights[w + 8];
  // sums of the output row that the next input row completes, and of the one after it
  var now0 = vec4f();
  var next0 = vec4f();
  var now1 = vec4f();
  var next1 = vec4f();
  let ix = x - p.pad_left;
  for (var i = 0; i < ROWS + 2; i++) {
    let iy = first - p.pad_top + i;
    let in_row = iy >= 0 && iy < p.in_h;
    let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
    let v0 = load(row, in_row, ix, p.in_w);
    let v1 = load(row, in_row, ix + 1, p.in_w);
    let v2 = load(row, in_row, ix + 2, p.in_w);
    let v3 = load(row, in_row, ix + 3, p.in_w);
    if (i >= 2) {
      store(n, block, first + i - 2, x, now0 + v0 * w6 + v1 * w7 + v2 * w8);
      store(n, block, first + i - 2, x + 1, now1 + v1 * w6 + v2 * w7 + v3 * w8);
    }
    now0 = next0 + v0 * w3 + v1 * w4 + v2 * w5;
    now1 = next1 + v1 * w3 + v2 * w4 + v3 * w5;
    next0 = v0 * w0 + v1 * w1 + v2 * w2;
    next1 = v1 * w0 + v2 * w1 + v3 * w2;
  }
}
