// Dense 1×1 convolution of stride 1 on NC4HW4, as conv2d-lane.wgsl does it but without windows:
// one invocation computes PIXELS neighbouring pixels of OCTETS × 8 output channels. Same weights as conv2d.wgsl.
// requires conv-epilogue.wgsl
// requires conv.wgsl
enable subgroups;

// lanes that share a fetch: 8, or 4 where the subgroup has only 4
const LANES = 8;
const PIXELS = 4;
const OCTETS = 2;

// one subgroup, so that every subgroup is full
override WORKGROUP: u32 = 8;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let tiles_x = (p.out_w + PIXELS - 1) / PIXELS;
  let y = i32(gid.x) / tiles_x;
  let x = i32(gid.x) % tiles_x * PIXELS;
  let n = i32(gid.z);

  // sums of the lower and the upper four channels of every octet
  #for o < OCTETS
  #for i < PIXELS
  var lo{o}_{i} = vec4f();
  var hi{o}_{i} = vec4f();
  #end
  #end
  let octet = p.in_blocks * 8;
  var w = n * p.weights_step + i32(gid.y) * OCTETS * octet + i32(lane % LANES);
  let plane = p.in_h * p.in_w;
  var at = (n * p.in_blocks * p.in_h + y) * p.in_w + x;
  for (var block = 0; block < p.in_blocks; block++) {
    #for i < PIXELS
    let v{i} = input[at + {i}];
    #end
    at += plane;
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
  let first = i32(gid.y) * OCTETS * 2;
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
