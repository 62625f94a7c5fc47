// Of two row-major tensors of up to 8 dimensions the element that a third one chooses, each broadcast by zero strides.
struct Params {
  count: i32,
  // aligned to the left; trailing unused dimensions are 1
  dims: array<vec4i, 2>,
  condition_strides: array<vec4i, 2>,
  a_strides: array<vec4i, 2>,
  b_strides: array<vec4i, 2>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> condition: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  var rest = i;
  var at = vec3i();
  for (var axis = 7; axis >= 0; axis--) {
    let dim = p.dims[axis / 4][axis % 4];
    let strides = vec3i(
      p.condition_strides[axis / 4][axis % 4],
      p.a_strides[axis / 4][axis % 4],
      p.b_strides[axis / 4][axis % 4],
    );
    at += rest % dim * strides;
    rest /= dim;
  }
  if (condition[at.x] != 0.0) {
    output[i] = a[at.y];
  } else {
    output[i] = b[at.z];
  }
}
