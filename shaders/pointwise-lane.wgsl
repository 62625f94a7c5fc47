// conv-lane.wgsl for 1×1 convolutions of stride 1 without padding: neither windows nor bounds.
// requires conv-epilogue.wgsl
// requires conv.wgsl
// requires weights.wgsl
// requires conv-lane.wgsl
const POINTWISE = true;
