// Dense 2-D convolution on NC4HW4 for adapters where loads cost more than arithmetic (software rasterisers).
// A subgroup fetches the weights of 4 input and 8 output channels once, a vec4 a lane, and broadcasts them;
// one invocation computes 5 neighbouring pixels of 8 output channels. Same weights as conv2d.wgsl.
// requires conv-epilogue.wgsl
// requires conv.wgsl
enable subgroups;

// lanes that share a fetch: 8, or 4 where the subgroup has only 4
const LANES = 8;

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

  #for i < PIXELS
  var lo{i} = vec4f();
  var hi{i} = vec4f();
  #end
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
        if (LANES == 4) {
          w_hi = weights[w + 4 + fetch];
        }
        w += 8;
        #for i < PIXELS
        let v{i} = load(row, in_row, ix + {i} * p.stride_w, p.in_w);
        #end
        let m_lo = mat4x4f(
          subgroupBroadcast(w_lo, 0u),
          subgroupBroadcast(w_lo, 1u),
          subgroupBroadcast(w_lo, 2u),
          subgroupBroadcast(w_lo, 3u),
        );
        #for i < PIXELS
        lo{i} += m_lo * v{i};
        #end
        let m_hi = mat4x4f(
          subgroupBroadcast(w_hi, LANES - 4),
          subgroupBroadcast(w_hi, LANES - 3),
          subgroupBroadcast(w_hi, LANES - 2),
          subgroupBroadcast(w_hi, LANES - 1),
        );
        #for i < PIXELS
        hi{i} += m_hi * v{i};
        #end
      }
    }
  }
  // a loop with a bound that only the run knows: unrolled, the epilogues take longer to compile than all the rest
  let first = octet * 2;
  for (var block = first; block < min(first + 2, p.out_blocks); block++) {
    let row = row_of(n, block, y);
    let b = bias[block];
    #for i < PIXELS
    store(row, x + {i}, select(lo{i}, hi{i}, block > first) + b);
    #end
  }
}
