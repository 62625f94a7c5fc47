// Dense 2-D convolution on NC4HW4 for adapters where loads cost more than arithmetic (software rasterisers).
// A subgroup fetches the weights of 4 input and 8 output channels once, a vec4 a lane, and broadcasts them;
// one invocation computes 5 neighbouring pixels of 8 output channels. Same weights as conv2d.wgsl.
// requires conv.wgsl
enable subgroups;

// lanes that share a fetch: 8, or 4 where the subgroup has only 4
const LANES = 8u;

// one subgroup, so that every subgroup is full
override WORKGROUP: u32 = 8;
const PIXELS = 5;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
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
  var a4 = vec4f();
  var b0 = vec4f();
  var b1 = vec4f();
  var b2 = vec4f();
  var b3 = vec4f();
  var b4 = vec4f();
  let fetch = i32(lane % LANES);
  var w = octet * p.in_blocks * p.kernel_h * p.kernel_w * 8;
  for (var block = 0; block < p.in_blocks; block++) {
    for (var ky = 0; ky < p.kernel_h; ky++) {
      let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
      let in_row = iy >= 0 && iy < p.in_h;
      let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
      for (var kx = 0; kx < p.kernel_w; kx++) {
        let ix = x * p.stride_w - p.pad_left + kx * p.dilation_w;
        let w_lo = weights[w + fetch];
        var w_hi = w_lo;
        if (LANES == 4u) {
          w_hi = weights[w + 4 + fetch];
        }
        w += 8;
        let v0 = load(row, in_row, ix, p.in_w);
        let v1 = load(row, in_row, ix + p.stride_w, p.in_w);
        let v2 = load(row, in_row, ix + 2 * p.stride_w, p.in_w);
        let v3 = load(row, in_row, ix + 3 * p.stride_w, p.in_w);
        let v4 = load(row, in_row, ix + 4 * p.stride_w, p.in_w);
        let lo = mat4x4f(
          subgroupBroadcast(w_lo, 0u),
          subgroupBroadcast(w_lo, 1u),
          subgroupBroadcast(w_lo, 2u),
          subgroupBroadcast(w_lo, 3u),
        );
        a0 += lo * v0;
        a1 += lo * v1;
        a2 += lo * v2;
        a3 += lo * v3;
        a4 += lo * v4;
        let hi = mat4x4f(
          subgroupBroadcast(w_hi, LANES - 4u),
          subgroupBroadcast(w_hi, LANES - 3u),
          subgroupBroadcast(w_hi, LANES - 2u),
          subgroupBroadcast(w_hi, LANES - 1u),
        );
        b0 += hi * v0;
        b1 += hi * v1;
        b2 += hi * v2;
        b3 += hi * v3;
        b4 += hi * v4;
      }
    }
  }
  let block = octet * 2;
  store(n, block, y, x, a0);
  store(n, block, y, x + 1, a1);
  store(n, block, y, x + 2, a2);
  store(n, block, y, x + 3, a3);
  store(n, block, y, x + 4, a4);
  store(n, block + 1, y, x, b0);
  store(n, block + 1, y, x + 1, b1);
  store(n, block + 1, y, x + 2, b2);
  store(n, block + 1, y, x + 3, b3);
  store(n, block + 1, y, x + 4, b4);
}
