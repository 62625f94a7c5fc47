// Last of three steps of a 3×3 convolution as Winograd's F(4×4, 3×3), see winograd-input.wgsl: the products of each
// window become its 4×4 output pixels, Aᵀ·products·A, with the epilogue of a convolution.
// [36][out_blocks][n × tiles] of vec4 → NC4HW4; one invocation does one window of 4 channels.
#include "conv/epilogue.wgsl"
#include "images.wgsl"
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> products: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<In>;
@group(0) @binding(4) var<storage, read_write> output: array<Out>;

#include "software/winograd.wgsl"
const TILE = 4;

struct Four {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}

// Aᵀ of the points 0, ±√½, ±√2 and infinity
fn transform(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f) -> Four {
  let even1 = b + c;
  let odd1 = ROOT * 0.5 * (b - c);
  let even2 = d + e;
  let odd2 = ROOT * (d - e);
  return Four(a + even1 + even2, odd1 + odd2, 0.5 * even1 + 2.0 * even2, 0.5 * odd1 + 2.0 * odd2 + f);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let tiles_x = (p.out_w + TILE - 1) / TILE;
  let tiles = tiles_x * ((p.out_h + TILE - 1) / TILE);
  // blocks follow one another without a gap, so that no more than the last subgroup idles
  let block = i32(gid.x) / tiles;
  let tile = i32(gid.x) - block * tiles;
  if (block >= p.out_blocks) {
    return;
  }
  let n = i32(gid.y);
  let batch = i32(groups.y);
  let step = p.out_blocks * batch * tiles;
  var at = (block * batch + n) * tiles + tile;
  // rows of products times A, the latest in the last place
  #for r < SIDE
  #for c < TILE
  var v{r}_{c} = vec4f();
  #end
  #end
  // 6 rows; a bound unknown to the compiler, which takes too long over unrolled loops
  for (var r = 0; r < p.kernel_h + 3; r++) {
    let next = transform(
      #for c < SIDE
      products[at + {c} * step],
      #end
    );
    at += SIDE * step;
    #for c < TILE
    #for k < LAST
    v{k}_{c} = v{k+1}_{c};
    #end
    v5_{c} = next.v{c};
    #end
  }
  #for c < TILE
  let column{c} = transform(v0_{c}, v1_{c}, v2_{c}, v3_{c}, v4_{c}, v5_{c});
  #end
  let b = bias[block];
  let tile_y = tile / tiles_x;
  let y = tile_y * TILE;
  let x = (tile - tile_y * tiles_x) * TILE;
  for (var r = 0; r < min(TILE, p.out_h - y); r++) {
    let row = row_of(n, block, y + r);
    #for c < TILE
    let low{c} = select(column{c}.v0, column{c}.v1, r == 1);
    let high{c} = select(column{c}.v2, column{c}.v3, r == 3);
    store(row, x + {c}, select(low{c}, high{c}, r >= 2) + b);
    #end
  }
}
