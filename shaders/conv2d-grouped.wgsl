// Grouped 2-D convolution on NC4HW4: the general case, one scalar multiply-add at a time.
// One invocation computes one vec4 over output channels. weights: ONNX order [out][in/group][ky][kx].
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
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;

override WORKGROUP: u32 = 64;

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

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let y = i32(gid.x) / p.out_w;
  let x = i32(gid.x) % p.out_w;
  let block = i32(gid.y);
  let n = i32(gid.z);
  var sum = vec4f();
  for (var lane = 0; lane < min(4, p.out_channels - block * 4); lane++) {
    let channel = block * 4 + lane;
    let first = channel / p.group_out * p.group_in;
    var w = channel * p.group_in * p.kernel_h * p.kernel_w;
    for (var c = first; c < first + p.group_in; c++) {
      for (var ky = 0; ky < p.kernel_h; ky++) {
        let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
        let row = ((n * p.in_blocks + c / 4) * p.in_h + iy) * p.in_w;
        for (var kx = 0; kx < p.kernel_w; kx++) {
          let ix = x * p.stride_w - p.pad_left + kx * p.dilation_w;
          if (iy >= 0 && iy < p.in_h && ix >= 0 && ix < p.in_w) {
            sum[lane] += input[row + ix][c % 4] * weights[w];
          }
          w++;
        }
      }
    }
  }
  store(n, block, y, x, sum);
}
