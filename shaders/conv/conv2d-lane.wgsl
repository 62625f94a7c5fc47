// conv-lane.wgsl for windows, strides and padding of any size.
// requires epilogue.wgsl
// requires bindings.wgsl
// requires weights.wgsl
// requires lane.wgsl
const POINTWISE = false;
