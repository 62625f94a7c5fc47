// Copies one input of a concatenation to its place in a row-major output.
struct Params {
  count: i32,
  // elements of one outer index in this input, in the output, and before this input
  input_run: i32,
  output_run: i32,
  offset: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

#include "flat-index.wgsl"

fn compute(i: i32) {
  output[i / p.input_run * p.output_run + p.offset + i % p.input_run] = input[i];
}
