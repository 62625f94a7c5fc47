// Pads a part of a row-major tensor of up to 8 dimensions.
struct Params {
  count: i32,
  // element of the input that is the part's first
  first: i32,
  value: f32,
  unused: i32,
  // aligned to the left; trailing unused dimensions are 1
  dims: array<vec4i, 2>,
  // of the part
  sizes: array<vec4i, 2>,
  // the input's
  strides: array<vec4i, 2>,
  // elements before the part
  before: array<vec4i, 2>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"
#include "general/pad-source.wgsl"

fn compute(i: i32) {
  var rest = i;
  var source = p.first;
  var inside = true;
  for (var axis = 7; axis >= 0; axis--) {
    let dim = p.dims[axis / 4][axis % 4];
    let place = source_of(rest % dim - p.before[axis / 4][axis % 4], p.sizes[axis / 4][axis % 4]);
    inside &= place >= 0;
    source += max(place, 0) * p.strides[axis / 4][axis % 4];
    rest /= dim;
  }
  output[i] = select(p.value, input[source], inside);
}
