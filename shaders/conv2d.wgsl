// Dense 2-D convolution on NC4HW4, any kernel, stride, padding and dilation.
// One invocation computes 4 neighbouring pixels of 8 output channels.
// weights: [out/8][in/4][ky][kx][2][4 in] of vec4 over 4 output channels.
// requires conv.wgsl
override WORKGROUP: u32 = 64;
const PIXELS = 4;

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
