// Copies a strided view of a row-major tensor of up to 8 dimensions: a permutation or a slice.
struct Params {
  count: i32,
  // element of the input that is the output's first
  first: i32,
  // the output's, aligned to the left; trailing unused dimensions are 1
  dims: array<vec4i, 2>,
  // the input's, for each dimension of the output
  strides: array<vec4i, 2>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  var rest = i;
  var source = p.first;
  for (var axis = 7; axis >= 0; axis--) {
    let dim = p.dims[axis / 4][axis % 4];
    source += rest % dim * p.strides[axis / 4][axis % 4];
    rest /= dim;
  }
  output[i] = input[source];
}
