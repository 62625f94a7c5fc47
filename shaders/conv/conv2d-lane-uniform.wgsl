// conv-lane.wgsl for windows, strides and padding of any size, weights in uniform buffers.
// requires epilogue.wgsl
// requires bindings.wgsl
// requires weights-uniform.wgsl
// requires lane.wgsl
const POINTWISE = false;
