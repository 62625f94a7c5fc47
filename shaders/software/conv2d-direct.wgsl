// Dense 2-D convolution on NC4HW4, any kernel, stride, padding and dilation.
// One invocation computes 4 neighbouring pixels of 8 output channels.
// weights: [out/8][in/4][ky][kx][2][4 in] of vec4 over 4 output channels.
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
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

  #for i < PIXELS
  var lo{i} = vec4f();
  var hi{i} = vec4f();
  #end
  var w = octet * p.in_blocks * p.kernel_h * p.kernel_w * 8;
  for (var block = 0; block < p.in_blocks; block++) {
    for (var ky = 0; ky < p.kernel_h; ky++) {
      let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
      let in_row = iy >= 0 && iy < p.in_h;
      let row = ((n * p.in_blocks + block) * p.in_h + iy) * p.in_w;
      for (var kx = 0; kx < p.kernel_w; kx++) {
        let ix = x * p.stride_w - p.pad_left + kx * p.dilation_w;
        let m_lo = mat4x4f(weights[w], weights[w + 1], weights[w + 2], weights[w + 3]);
        let m_hi = mat4x4f(weights[w + 4], weights[w + 5], weights[w + 6], weights[w + 7]);
        w += 8;
        #for i < PIXELS
        let v{i} = load(row, in_row, ix + {i} * p.stride_w, p.in_w);
        #end
        #for i < PIXELS
        lo{i} += m_lo * v{i};
        #end
        #for i < PIXELS
        hi{i} += m_hi * v{i};
        #end
      }
    }
  }
  for (var half = 0; half < 2; half++) {
    let block = octet * 2 + half;
    let row = row_of(n, block, y);
    let b = bias[block];
    #for i < PIXELS
    store(row, x + {i}, select(lo{i}, hi{i}, half == 1) + b);
    #end
  }
}
