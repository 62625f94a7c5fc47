// First of three steps of a 3×3 convolution as Winograd's F(4×4, 3×3) (Lavin & Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016): every window of 6×6 pixels, 4 apart, becomes Bᵀ·window·B. The second step multiplies
// each of the 36 positions by its weights (pointwise), the third is winograd-output.wgsl.
// NC4HW4 → [36][in_blocks][n × tiles] of vec4; one invocation does one window of 4 channels.
struct Params {
  in_blocks: i32,
  in_h: i32,
  in_w: i32,
  pad_top: i32,
  pad_left: i32,
  tiles_x: i32,
  tiles: i32,
  batch: i32,
  // a window's side: 6, but unknown to the compiler, which takes too long over unrolled loops
  side: i32,
}

alias In = vec4f;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4f>;

#include "software/winograd.wgsl"
#include "conv/load.wgsl"

struct Six {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
  v4: vec4f,
  v5: vec4f,
}

// Bᵀ of the points 0, ±√½, ±√2 and infinity: a third of the rounding error that 0, ±1, ±2 and infinity have
fn transform(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f) -> Six {
  let even1 = e - 2.0 * c;
  let odd1 = ROOT * (0.5 * d - b);
  let even2 = e - 0.5 * c;
  let odd2 = ROOT * (d - 0.5 * b);
  return Six(a - 2.5 * c + e, even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, b - 2.5 * d + f);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  // blocks follow one another without a gap, so that no more than the last subgroup idles
  let block = i32(gid.x) / p.tiles;
  let tile = i32(gid.x) - block * p.tiles;
  if (block >= p.in_blocks) {
    return;
  }
  let n = i32(gid.y);
  let tile_y = tile / p.tiles_x;
  let y = tile_y * 4 - p.pad_top;
  let x = (tile - tile_y * p.tiles_x) * 4 - p.pad_left;
  // rows of the window times B, the latest in the last place
  #for r < SIDE
  #for c < SIDE
  var v{r}_{c} = vec4f();
  #end
  #end
  for (var r = 0; r < p.side; r++) {
    let in_row = y + r >= 0 && y + r < p.in_h;
    let row = ((n * p.in_blocks + block) * p.in_h + y + r) * p.in_w;
    let next = transform(
      #for c < SIDE
      load(row, in_row, x + {c}, p.in_w),
      #end
    );
    #for c < SIDE
    #for k < LAST
    v{k}_{c} = v{k+1}_{c};
    #end
    v5_{c} = next.v{c};
    #end
  }
  #for c < SIDE
  var column{c} = transform(v0_{c}, v1_{c}, v2_{c}, v3_{c}, v4_{c}, v5_{c});
  #end
  let step = p.in_blocks * p.batch * p.tiles;
  var at = (block * p.batch + n) * p.tiles + tile;
  for (var r = 0; r < p.side; r++) {
    #for c < SIDE
    output[at + {c} * step] = column{c}.v0;
    #for k < LAST
    column{c}.v{k} = column{c}.v{k+1};
    #end
    #end
    at += SIDE * step;
  }
}
