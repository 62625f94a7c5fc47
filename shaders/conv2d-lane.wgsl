// conv-lane.wgsl for windows, strides and padding of any size.
// requires conv-epilogue.wgsl
// requires conv.wgsl
// requires weights.wgsl
// requires conv-lane.wgsl
const POINTWISE = false;
