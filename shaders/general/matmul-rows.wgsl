// A product of a few rows with constant weights, which are read once for all of them: LANES invocations share the work of one column. Weights
// lie column after column, whole vectors along the inner dimension.
#include "general/matmul-params.wgsl"

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

const ROWS = 1;
const WORKGROUP = 64;
const LANES = 16;
const PARTIALS = 64;

// of each row, every invocation's
var<workgroup> partial: array<f32, PARTIALS>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let thread = i32(index);
  let lane = thread % LANES;
  let column = i32(group.x) * (WORKGROUP / LANES) + thread / LANES;
  let vectors = p.inner / 4;
  let first = min(column, p.columns - 1) * vectors;
  #for r < ROWS
  var sum{r} = 0.0;
  #end
  for (var i = lane; i < vectors; i += LANES) {
    let w = weights[first + i];
    #for r < ROWS
    sum{r} += dot(w, a[{r} * vectors + i]);
    #end
  }
  #for r < ROWS
  partial[{r} * WORKGROUP + thread] = sum{r};
  #end
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) {
      #for r < ROWS
      partial[{r} * WORKGROUP + thread] += partial[{r} * WORKGROUP + thread + half];
      #end
    }
  }
  if (lane == 0 && column < p.columns) {
    #for r < ROWS
    output[{r} * p.columns + column] = finish(partial[{r} * WORKGROUP + thread], {r}, column);
    #end
  }
}
