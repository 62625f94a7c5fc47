// Two row-major tensors of up to 8 dimensions, element by element, each broadcast by zero strides: the shaders that include this say
// what apply() does with two of a Value, which is f32.
struct Params {
  count: i32,
  // aligned to the left; trailing unused dimensions are 1
  dims: array<vec4i, 2>,
  a_strides: array<vec4i, 2>,
  b_strides: array<vec4i, 2>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"
alias Value = f32;

fn compute(i: i32) {
  var rest = i;
  var ia = 0;
  var ib = 0;
  for (var axis = 7; axis >= 0; axis--) {
    let dim = p.dims[axis / 4][axis % 4];
    let position = rest % dim;
    rest /= dim;
    ia += position * p.a_strides[axis / 4][axis % 4];
    ib += position * p.b_strides[axis / 4][axis % 4];
  }
  output[i] = apply(a[ia], b[ib]);
}
