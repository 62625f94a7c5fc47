// What all convolution kernels share: shape, bindings, bounds-checked loads and the epilogue that ends in a store.
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

// one input pixel; zero outside the image
fn load(row: i32, in_row: bool, x: i32, width: i32) -> vec4f {
  return select(vec4f(), input[row + x], in_row && x >= 0 && x < width);
}

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
