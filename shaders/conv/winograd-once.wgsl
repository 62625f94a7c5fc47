// 3×3 convolution of stride 1 as Winograd's F(4×4, 3×3), see winograd-input.wgsl, in one launch. A workgroup computes TILES windows of
// QUADS blocks of channels; an invocation multiplies one position of all these windows by its weights, for one block. What lies between
// the steps stays in the workgroup's memory: DEPTH blocks of input at a time.
// weights: those of the product between winograd-input.wgsl and winograd-output.wgsl.
#include "conv/beside.wgsl"
#include "conv/winograd-transforms.wgsl"
const TILES = 4;
const QUADS = 4;
const DEPTH = 4;
const POSITIONS = 36;
override SHARED_VECTORS: u32;
var<workgroup> shared_vectors: array<vec4f, SHARED_VECTORS>;

// where the workgroup keeps a position of a window's block; DEPTH and QUADS are one
fn slot(row: i32, column: i32, block: i32, tile: i32) -> i32 {
  return ((row * SIDE + column) * QUADS + block) * TILES + tile;
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let p = params;
  let tiles_x = (p.out_w + 3) / 4;
  let tiles = tiles_x * ((p.out_h + 3) / 4);
  let first_tile = i32(group.x) * TILES;
  let first_block = i32(group.y) * QUADS;
  let n = i32(group.z);
  // invocations beyond the last position have nothing to multiply
  let position = i32(index) / QUADS;
  let quad = i32(index) % QUADS;
  let block = min(first_block + quad, p.out_blocks - 1);
  let octets = (p.out_blocks + 1) / 2;
  let first_w = ((min(position, POSITIONS - 1) * octets + block / 2) * p.in_blocks * 2 + block % 2) * 4;
  // of a transform an invocation does one line, of a tile's block, if any: there are more invocations than lines
  let works = i32(index) < SIDE * QUADS * TILES;
  let tile = i32(index) % TILES;
  let own = i32(index) / TILES % QUADS;
  let line = i32(index) / (TILES * QUADS);
  let number = min(first_tile + tile, tiles - 1);
  let tile_y = number / tiles_x;
  let tile_x = number - tile_y * tiles_x;
  let top = tile_y * 4 - p.pad_top;
  let x = tile_x * 4 - p.pad_left + line;
  let in_row = (u32(x) < u32(p.in_w)) & works;
  let area = p.in_h * p.in_w;
  let first = (n * p.in_blocks + own) * area + top * p.in_w + x;
  #for t < TILES
  var sum{t} = vec4f();
  #end
  for (var chunk = 0; chunk < p.in_blocks; chunk += DEPTH) {
    if (works) {
      let at = first + chunk * area;
      let inside = in_row & (chunk + own < p.in_blocks);
      let six = to_positions(
        #for r < SIDE
        select(vec4f(), vec4f(input[max(at + {r} * p.in_w, 0)]), inside & (u32(top + {r}) < u32(p.in_h))),
        #end
      );
      #for r < SIDE
      shared_vectors[slot({r}, line, own, tile)] = six.v{r};
      #end
    }
    workgroupBarrier();
    if (works) {
      let six = to_positions(
        #for c < SIDE
        shared_vectors[slot(line, {c}, own, tile)],
        #end
      );
      #for c < SIDE
      shared_vectors[slot(line, {c}, own, tile)] = six.v{c};
      #end
    }
    workgroupBarrier();
    if (position < POSITIONS) {
      #for d < DEPTH
      {
        // windows of blocks beyond the last are zero
        let w = first_w + min(chunk + {d}, p.in_blocks - 1) * 8;
        let w_x = weight(w);
        let w_y = weight(w + 1);
        let w_z = weight(w + 2);
        let w_w = weight(w + 3);
        #for t < TILES
        {
          let v = shared_vectors[slot(0, position, {d}, {t})];
          sum{t} = fma(vec4f(v.x), w_x, sum{t});
          sum{t} = fma(vec4f(v.y), w_y, sum{t});
          sum{t} = fma(vec4f(v.z), w_z, sum{t});
          sum{t} = fma(vec4f(v.w), w_w, sum{t});
        }
        #end
      }
      #end
    }
    workgroupBarrier();
  }
  if (position < POSITIONS) {
    #for t < TILES
    shared_vectors[slot(0, position, quad, {t})] = sum{t};
    #end
  }
  workgroupBarrier();
  if (works) {
    let four = to_pixels(
      #for r < SIDE
      shared_vectors[slot({r}, line, own, tile)],
      #end
    );
    #for r < TILES
    shared_vectors[slot({r}, line, own, tile)] = four.v{r};
    #end
  }
  workgroupBarrier();
  let out_block = first_block + own;
  if (line < 4 && first_tile + tile < tiles && out_block < p.out_blocks) {
    let four = to_pixels(
      #for c < SIDE
      shared_vectors[slot(line, {c}, own, tile)],
      #end
    );
    let row = row_of(n, out_block, tile_y * 4 + line);
    let b = bias_of(out_block);
    #for c < TILES
    store(row, tile_x * 4 + {c}, four.v{c} + b);
    #end
  }
}
