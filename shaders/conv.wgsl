// What convolution kernels with weights share: bindings, but that of the weights (binding 2), and bounds-checked loads.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;

// one input pixel; zero outside the image
fn load(row: i32, in_row: bool, x: i32, width: i32) -> vec4f {
  return select(vec4f(), input[row + x], in_row && x >= 0 && x < width);
}
