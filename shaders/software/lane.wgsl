// Dense 2-D convolution on NC4HW4 for adapters where loads cost more than arithmetic (software rasterisers).
// A subgroup fetches the weights of 4 input and 8 output channels once, a vec4 a lane, and broadcasts them;
// one invocation computes PIXELS neighbouring pixels of OCTETS × 8 output channels. Same weights as conv2d-direct.wgsl.
enable subgroups;
#include "conv/bindings.wgsl"

// lanes that share a fetch: 8, or 4 where the subgroup has only 4
const LANES = 8;
const PIXELS = 4;
const OCTETS = 2;

// one subgroup, so that every subgroup is full
override WORKGROUP: u32 = 8;

// group.x counts tiles of channels: while a group's pixels are in a cache, all channels are computed from them
@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let tiles_x = (p.out_w + PIXELS - 1) / PIXELS;
  let tile = i32(group.y * WORKGROUP + index);
  let y = tile / tiles_x;
  let x = (tile - y * tiles_x) * PIXELS;
  let n = i32(group.z);

  // sums of the lower and the upper four channels of every octet
  #for o < OCTETS
  #for i < PIXELS
  var lo{o}_{i} = vec4f();
  var hi{o}_{i} = vec4f();
  #end
  #end
  let taps = p.in_blocks * select(p.kernel_h * p.kernel_w, 1, POINTWISE);
  let octet = taps * 8;
  var w = n * p.weights_step + i32(group.x) * OCTETS * octet + i32(lane % LANES);
  let area = p.in_h * p.in_w;
  var plane = n * p.in_blocks * area;
  var ky = 0;
  var kx = 0;
  // one loop over blocks, rows and columns: software rasterisers move all sums at each of several
  for (var tap = 0; tap < taps; tap++) {
    #for i < PIXELS
    var v{i} = vec4f();
    #end
    if (POINTWISE) {
      let at = plane + y * p.in_w + x;
      #for i < PIXELS
      v{i} = vec4f(input[at + {i}]);
      #end
      plane += area;
    } else {
      let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
      let ix = x * p.stride_w - p.pad_left + kx * p.dilation_w;
      let in_row = iy >= 0 && iy < p.in_h;
      let row = plane + iy * p.in_w;
      #for i < PIXELS
      v{i} = load(row, in_row, ix + {i} * p.stride_w, p.in_w);
      #end
      kx += 1;
      ky += select(0, 1, kx == p.kernel_w);
      kx = select(kx, 0, kx == p.kernel_w);
      plane += select(0, area, ky == p.kernel_h);
      ky = select(ky, 0, ky == p.kernel_h);
    }
    #for o < OCTETS
    let w_lo{o} = weights[w + {o} * octet];
    var w_hi{o} = w_lo{o};
    if (LANES == 4) {
      w_hi{o} = weights[w + {o} * octet + 4];
    }
    let m_lo{o} = mat4x4f(
      subgroupBroadcast(w_lo{o}, 0),
      subgroupBroadcast(w_lo{o}, 1),
      subgroupBroadcast(w_lo{o}, 2),
      subgroupBroadcast(w_lo{o}, 3),
    );
    let m_hi{o} = mat4x4f(
      subgroupBroadcast(w_hi{o}, LANES - 4),
      subgroupBroadcast(w_hi{o}, LANES - 3),
      subgroupBroadcast(w_hi{o}, LANES - 2),
      subgroupBroadcast(w_hi{o}, LANES - 1),
    );
    #for i < PIXELS
    lo{o}_{i} += m_lo{o} * v{i};
    hi{o}_{i} += m_hi{o} * v{i};
    #end
    #end
    w += 8;
  }
  // a loop with a bound that only the run knows: unrolled, the epilogues take longer to compile than all the rest
  let first = p.first_block + i32(group.x) * OCTETS * 2;
  for (var block = first; block < min(first + OCTETS * 2, p.out_blocks); block++) {
    let row = row_of(n, block, y);
    let b = bias[block];
    #for i < PIXELS
    var sum{i} = lo0_{i};
    #end
    #for o < OCTETS
    #for i < PIXELS
    sum{i} = select(sum{i}, lo{o}_{i}, block == first + {o*2});
    sum{i} = select(sum{i}, hi{o}_{i}, block == first + {o*2+1});
    #end
    #end
    #for i < PIXELS
    store(row, x + {i}, sum{i} + b);
    #end
  }
}
