// Dense 2-D convolution on NC4HW4, any kernel, stride, padding and dilation.
// One invocation computes 4 neighbouring pixels of 8 output channels.
// weights: [out/8][in/4][ky][kx][2][4 in] of vec4 over 4 output channels.
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
const PIXELS = 4;

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
  let y = i32(gid.x) / tiles_x;
  let x = (i32(gid.x) % tiles_x) * PIXELS;
  let octet = i32(gid.y);
  let n = i32(gid.z);

  var a0 = vec4f();
  var a1 = vec4f();
  var a2 = vec4f();
  var a3 = vec4f();
  var b0 = vec4f();
  var b1 = vec4f();
  var b2 = vec4f();
  var b3 = vec4f();
  var w = octet * p.in_blocks * p.kernel_h * p.kernel_w * 8;
  for (var block = 0; block < p.in_blocks; block++) {
    for (var ky = 0; ky < p.kernel_h; ky++) {
      let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
      let in_row = iy >= 0 && iy < p.in_h;
      let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
      for (var kx = 0; kx < p.kernel_w; kx++) {
        let ix = x * p.stride_w - p.pad_left + kx * p.dilation_w;
        let lo = mat4x4f(weights[w], weights[w + 1], weights[w + 2], weights[w + 3]);
        let hi = mat4x4f(weights[w + 4], weights[w + 5], weights[w + 6], weights[w + 7]);
        w += 8;
        let v0 = load(row, in_row, ix, p.in_w);
        let v1 = load(row, in_row, ix + p.stride_w, p.in_w);
        let v2 = load(row, in_row, ix + 2 * p.stride_w, p.in_w);
        let v3 = load(row, in_row, ix + 3 * p.stride_w, p.in_w);
        a0 += lo * v0;
        a1 += lo * v1;
        a2 += lo * v2;
        a3 += lo * v3;
        b0 += hi * v0;
        b1 += hi * v1;
        b2 += hi * v2;
        b3 += hi * v3;
      }
    }
  }
  let block = octet * 2;
  store(n, block, y, x, a0);
  store(n, block, y, x + 1, a1);
  store(n, block, y, x + 2, a2);
  store(n, block, y, x + 3, a3);
  store(n, block + 1, y, x, b0);
  store(n, block + 1, y, x + 1, b1);
  store(n, block + 1, y, x + 2, b2);
  store(n, block + 1, y, x + 3, b3);
}
