// conv-lane.wgsl for windows, strides and padding of any size, weights in uniform buffers.
// requires conv-epilogue.wgsl
// requires conv.wgsl
// requires weights-uniform.wgsl
// requires conv-lane.wgsl
const POINTWISE = false;
