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
  // invocations beyond the last position only help to transform
  let position = i32(index) / QUADS;
  let quad = i32(index) % QUADS;
  let block = min(first_block + quad, p.out_blocks - 1);
  let octets = (p.out_blocks + 1) / 2;
  let first_w = ((min(position, POSITIONS - 1) * octets + block / 2) * p.in_blocks * 2 + block % 2) * 4;
  #for t < TILES
  var sum{t} = vec4f();
  #end
  for (var chunk = 0; chunk < p.in_blocks; chunk += DEPTH) {
    for (var i = i32(index); i < SIDE * DEPTH * TILES; i += i32(INVOCATIONS)) {
      let tile = i % TILES;
      let depth = i / TILES % DEPTH;
      let column = i / (TILES * DEPTH);
      let number = first_tile + tile;
      let in_block = chunk + depth;
      let top = number / tiles_x * 4 - p.pad_top;
      let x = number % tiles_x * 4 - p.pad_left + column;
      let inside = (u32(x) < u32(p.in_w)) & (in_block < p.in_blocks);
      let first = ((n * p.in_blocks + in_block) * p.in_h + top) * p.in_w + x;
      let six = to_positions(
        #for r < SIDE
        select(vec4f(), vec4f(input[max(first + {r} * p.in_w, 0)]), inside & (u32(top + {r}) < u32(p.in_h))),
        #end
      );
      #for r < SIDE
      shared_vectors[slot({r}, column, depth, tile)] = six.v{r};
      #end
    }
    workgroupBarrier();
    for (var i = i32(index); i < SIDE * DEPTH * TILES; i += i32(INVOCATIONS)) {
      let tile = i % TILES;
      let depth = i / TILES % DEPTH;
      let row = i / (TILES * DEPTH);
      let six = to_positions(
        #for c < SIDE
        shared_vectors[slot(row, {c}, depth, tile)],
        #end
      );
      #for c < SIDE
      shared_vectors[slot(row, {c}, depth, tile)] = six.v{c};
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
  for (var i = i32(index); i < SIDE * QUADS * TILES; i += i32(INVOCATIONS)) {
    let tile = i % TILES;
    let other = i / TILES % QUADS;
    let column = i / (TILES * QUADS);
    let four = to_pixels(
      #for r < SIDE
      shared_vectors[slot({r}, column, other, tile)],
      #end
    );
    #for r < TILES
    shared_vectors[slot({r}, column, other, tile)] = four.v{r};
    #end
  }
  workgroupBarrier();
  for (var i = i32(index); i < 4 * QUADS * TILES; i += i32(INVOCATIONS)) {
    let tile = i % TILES;
    let other = first_block + i / TILES % QUADS;
    let row = i / (TILES * QUADS);
    let number = first_tile + tile;
    let four = to_pixels(
      #for c < SIDE
      shared_vectors[slot(row, {c}, other - first_block, tile)],
      #end
    );
    if (number < tiles && other < p.out_blocks) {
      let line = row_of(n, other, number / tiles_x * 4 + row);
      let x = number % tiles_x * 4;
      #for c < TILES
      store(line, x + {c}, four.v{c} + bias_of(other));
      #end
    }
  }
}
