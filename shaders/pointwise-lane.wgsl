// Dense 1×1 convolution of stride 1 on NC4HW4, as conv2d-lane.wgsl does it but without windows:
// one invocation computes 2 neighbouring pixels of 16 output channels. Same weights as conv2d.wgsl.
enable subgroups;

// lanes that share a fetch: 8, or 4 where the subgroup has only 4
const LANES = 8u;

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

// one subgroup, so that every subgroup is full
override WORKGROUP: u32 = 8;
const PIXELS = 2;

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
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let tiles_x = (p.out_w + PIXELS - 1) / PIXELS;
  let y = i32(gid.x) / tiles_x;
  let x = i32(gid.x) % tiles_x * PIXELS;
  let first_block = i32(gid.y) * 4;
  let n = i32(gid.z);

  var a0 = vec4f();
  var a1 = vec4f();
  var b0 = vec4f();
  var b1 = vec4f();
  var c0 = vec4f();
  var c1 = vec4f();
  var d0 = vec4f();
  var d1 = vec4f();
  // two octets of output channels, in_blocks × 8 vectors apart
  let octet = p.in_blocks * 8;
  var w = i32(gid.y) * 2 * octet + i32(lane % LANES);
  let plane = p.in_h * p.in_w;
  var at = (n * p.in_blocks * p.in_h + y) * p.in_w + x;
  for (var block = 0; block < p.in_blocks; block++) {
    let w_a = weights[w];
    let w_c = weights[w + octet];
    var w_b = w_a;
    var w_d = w_c;
    if (LANES == 4u) {
      w_b = weights[w + 4];
      w_d = weights[w + octet + 4];
    }
    w += 8;
    let v0 = input[at + 0];
    let v1 = input[at + 1];
    at += plane;
    let m_a = mat4x4f(
      subgroupBroadcast(w_a, 0u),
      subgroupBroadcast(w_a, 1u),
      subgroupBroadcast(w_a, 2u),
      subgroupBroadcast(w_a, 3u),
    );
    a0 += m_a * v0;
    a1 += m_a * v1;
    let m_b = mat4x4f(
      subgroupBroadcast(w_b, LANES - 4u),
      subgroupBroadcast(w_b, LANES - 3u),
      subgroupBroadcast(w_b, LANES - 2u),
      subgroupBroadcast(w_b, LANES - 1u),
    );
    b0 += m_b * v0;
    b1 += m_b * v1;
    let m_c = mat4x4f(
      subgroupBroadcast(w_c, 0u),
      subgroupBroadcast(w_c, 1u),
      subgroupBroadcast(w_c, 2u),
      subgroupBroadcast(w_c, 3u),
    );
    c0 += m_c * v0;
    c1 += m_c * v1;
    let m_d = mat4x4f(
      subgroupBroadcast(w_d, LANES - 4u),
      subgroupBroadcast(w_d, LANES - 3u),
      subgroupBroadcast(w_d, LANES - 2u),
      subgroupBroadcast(w_d, LANES - 1u),
    );
    d0 += m_d * v0;
    d1 += m_d * v1;
  }
  store(n, first_block, y, x, a0);
  store(n, first_block, y, x + 1, a1);
  store(n, first_block + 1, y, x, b0);
  store(n, first_block + 1, y, x + 1, b1);
  store(n, first_block + 2, y, x, c0);
  store(n, first_block + 2, y, x + 1, c1);
  store(n, first_block + 3, y, x, d0);
  store(n, first_block + 3, y, x + 1, d1);
}
