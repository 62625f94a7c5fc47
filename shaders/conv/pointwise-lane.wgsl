// conv-lane.wgsl for 1×1 convolutions of stride 1 without padding: neither windows nor bounds.
// requires epilogue.wgsl
// requires bindings.wgsl
// requires weights.wgsl
// requires lane.wgsl
const POINTWISE = true;
