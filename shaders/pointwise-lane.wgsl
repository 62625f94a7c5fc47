// Dense 1×1 convolution of stride 1 on NC4HW4, as conv2d-lane.wgsl does it but without windows:
// one invocation computes 2 neighbouring pixels of 16 output channels. Same weights as conv2d.wgsl.
// requires conv.wgsl
enable subgroups;

// lanes that share a fetch: 8, or 4 where the subgroup has only 4
const LANES = 8u;

// one subgroup, so that every subgroup is full
override WORKGROUP: u32 = 8;
const PIXELS = 2;

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
    let v0 = input[at];
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
