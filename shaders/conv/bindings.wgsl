// The bindings of convolution kernels, but that of the weights: binding 2.
#include "conv/epilogue.wgsl"
#include "images.wgsl"
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<In>;
@group(0) @binding(5) var<storage, read_write> output: array<Out>;

#include "conv/load.wgsl"
