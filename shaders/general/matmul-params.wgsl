// activation(alpha · A B + beta · bias) of row-major matrices, of batches of them, transposed or not: strides say which.
struct Params {
  rows: i32,
  columns: i32,
  inner: i32,
  // elements from one row, column or place along the inner dimension to the next
  a_row: i32,
  a_inner: i32,
  b_inner: i32,
  b_column: i32,
  bias_row: i32,
  bias_column: i32,
  sigmoid: i32,
  unused_0: i32,
  unused_1: i32,
  // of the batch, aligned to the left; trailing unused dimensions are 1
  dims: array<vec4i, 2>,
  a_strides: array<vec4i, 2>,
  b_strides: array<vec4i, 2>,
  alpha: f32,
  beta: f32,
  slope: f32,
  low: f32,
  high: f32,
}

alias Value = f32;
#include "activation.wgsl"

fn finish(sum: f32, row: i32, column: i32) -> f32 {
  var v = p.alpha * sum;
  // without a bias there may be anything
  if (p.beta != 0.0) {
    v += p.beta * bias[row * p.bias_row + column * p.bias_column];
  }
  v = bound(v, p.slope, p.low, p.high);
  if (p.sigmoid != 0) {
    v = sigmoid(v);
  }
  return v;
}
