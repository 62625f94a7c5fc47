// Grouped 2-D convolution on NC4HW4: the general case, one scalar multiply-add at a time.
// One invocation computes one vec4 over output channels. weights: ONNX order [out][in/group][ky][kx].
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
            sum[lane] += f32(input[row + ix][c % 4]) * weights[w / 4][w % 4];
          }
          w++;
        }
      }
    }
  }
  store(row_of(n, block, y), x, sum + bias[block]);
}
