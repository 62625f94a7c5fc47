// Takes elements of the middle of a row-major outer × axis × inner tensor, those that the table names.
struct Params {
  count: i32,
  axis: i32,
  inner: i32,
  picks: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<i32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  let run = i / p.inner;
  output[i] = input[(run / p.picks * p.axis + table[run % p.picks]) * p.inner + i % p.inner];
}
