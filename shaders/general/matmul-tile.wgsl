// A product of matrices by tiles: a workgroup computes SIDE vectors of four rows times as many of four columns, an invocation one by one. Both
// matrices go through the workgroup's memory, DEPTH places along the inner dimension at a time.
#include "general/matmul-params.wgsl"

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

const SIDE = 8;
const DEPTH = 16;
const VECTORS = 128;
const FOUR = 4;

// of each place along the inner dimension, SIDE vectors
var<workgroup> a_tile: array<vec4f, VECTORS>;
var<workgroup> b_tile: array<vec4f, VECTORS>;

// which vector and which place the i-th of a tile is, so that neighbours read what lies side by side
fn split(i: i32, along_inner: bool) -> vec2i {
  return select(vec2i(i % SIDE, i / SIDE), vec2i(i / DEPTH, i % DEPTH), along_inner);
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  var rest = i32(group.z);
  var a_first = 0;
  var b_first = 0;
  for (var axis = 7; axis >= 0; axis--) {
    let dim = p.dims[axis / 4][axis % 4];
    a_first += rest % dim * p.a_strides[axis / 4][axis % 4];
    b_first += rest % dim * p.b_strides[axis / 4][axis % 4];
    rest /= dim;
  }
  let row = i32(group.y) * SIDE * 4;
  let column = i32(group.x) * SIDE * 4;
  let x = i32(local.x);
  let y = i32(local.y);
  #for r < FOUR
  var sum{r} = vec4f();
  #end
  for (var start = 0; start < p.inner; start += DEPTH) {
    for (var i = i32(index); i < VECTORS; i += SIDE * SIDE) {
      let a_at = split(i, p.a_inner == 1);
      let b_at = split(i, p.b_inner == 1);
      var a_vector = vec4f();
      var b_vector = vec4f();
      for (var lane = 0; lane < 4; lane++) {
        let a_row = row + a_at.x * 4 + lane;
        if (a_row < p.rows && start + a_at.y < p.inner) {
          a_vector[lane] = a[a_first + a_row * p.a_row + (start + a_at.y) * p.a_inner];
        }
        let b_column = column + b_at.x * 4 + lane;
        if (b_column < p.columns && start + b_at.y < p.inner) {
          b_vector[lane] = b[b_first + b_column * p.b_column + (start + b_at.y) * p.b_inner];
        }
      }
      a_tile[a_at.y * SIDE + a_at.x] = a_vector;
      b_tile[b_at.y * SIDE + b_at.x] = b_vector;
    }
    workgroupBarrier();
    for (var k = 0; k < DEPTH; k++) {
      let left = a_tile[k * SIDE + y];
      let right = b_tile[k * SIDE + x];
      #for r < FOUR
      sum{r} += left[{r}] * right;
      #end
    }
    workgroupBarrier();
  }
  let first = i32(group.z) * p.rows * p.columns;
  #for r < FOUR
  for (var lane = 0; lane < 4; lane++) {
    let at = vec2i(row + y * 4 + {r}, column + x * 4 + lane);
    if (at.x < p.rows && at.y < p.columns) {
      output[first + at.x * p.columns + at.y] = finish(sum{r}[lane], at.x, at.y);
    }
  }
  #end
}
