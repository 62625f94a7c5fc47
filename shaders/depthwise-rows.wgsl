// Depthwise 3×3 convolution of stride 1 on NC4HW4 that loads each input row once: an invocation slides down 10 rows
// of 2 columns and keeps the sums of the two output rows that still miss a row. Same weights as depthwise.wgsl.
struct Params {
  in_blocks: i32,
  in_h: i32,
  in_w: i32,
  out_blocks: i32,
  out_h: i32,
  out_w: i32,
  kernel_h: i32,
  kernel_w: i32,
  stride_h: i32,
  stride_w: i32,
  pad_top: i32,
  pad_left: i32,
  dilation_h: i32,
  dilation_w: i32,
  // channels of one group; the whole tensor where there is one group
  group_in: i32,
  group_out: i32,
  out_channels: i32,
  // 0: no residual; s: add residual[y / s][x / s]
  upsample: i32,
  sigmoid: i32,
  slope: f32,
  low: f32,
  high: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;

override WORKGROUP: u32 = 64;
const PIXELS = 2;
const ROWS = 10;

fn activate(v: vec4f) -> vec4f {
  let bounded = clamp(select(v * params.slope, v, v >= vec4f(0.0)), vec4f(params.low), vec4f(params.high));
  if (params.sigmoid != 0) {
    return 1.0 / (1.0 + exp(-clamp(bounded, vec4f(-80.0), vec4f(80.0))));
  }
  return bounded;
}

fn store(n: i32, block: i32, y: i32, x: i32, sum: vec4f) {
  if (x >= params.out_w || y >= params.out_h || block >= params.out_blocks) {
    return;
  }
  var v = sum + bias[block];
  let plane = n * params.out_blocks + block;
  if (params.upsample > 0) {
    let s = params.upsample;
    v += residual[(plane * (params.out_h / s) + y / s) * (params.out_w / s) + x / s];
  }
  output[(plane * params.out_h + y) * params.out_w + x] = activate(v);
}

fn load(row: i32, in_row: bool, x: i32, width: i32) -> vec4f {
  return select(vec4f(), input[row + x], in_row && x >= 0 && x < width);
}

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
