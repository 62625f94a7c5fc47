// Depthwise 2-D convolution (one filter a channel) on NC4HW4; one invocation computes one vec4 over channels.
// weights: [channels/4][ky][kx] of vec4 over channels.
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let y = i32(gid.x) / p.out_w;
  let x = i32(gid.x) % p.out_w;
  let block = i32(gid.y);
  let n = i32(gid.z);
  let top = y * p.stride_h - p.pad_top;
  let left = x * p.stride_w - p.pad_left;
  var sum = vec4f();
  var w = block * p.kernel_h * p.kernel_w;
  for (var ky = 0; ky < p.kernel_h; ky++) {
    let iy = top + ky * p.dilation_h;
    let in_row = iy >= 0 && iy < p.in_h;
    let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
    for (var kx = 0; kx < p.kernel_w; kx++) {
      let ix = left + kx * p.dilation_w;
      sum += select(vec4f(), vec4f(input[row + ix]), in_row && ix >= 0 && ix < p.in_w) * weights[w];
      w++;
    }
  }
  store(row_of(n, block, y), x, sum + bias[block]);
}
