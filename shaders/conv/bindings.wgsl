// What convolution kernels with weights share: bindings, but that of the weights (binding 2), and bounds-checked loads.
// how images are stored, half floats where asked; what is computed is float32
alias In = vec4f;
alias Out = vec4f;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<In>;
@group(0) @binding(5) var<storage, read_write> output: array<Out>;

// one input pixel; zero outside the image
fn load(row: i32, in_row: bool, x: i32, width: i32) -> vec4f {
  return select(vec4f(), vec4f(input[row + x]), in_row && x >= 0 && x < width);
}
