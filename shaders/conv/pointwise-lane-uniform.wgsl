// conv-lane.wgsl for 1×1 convolutions of stride 1 without padding: neither windows nor bounds, weights in uniform buffers.
// requires epilogue.wgsl
// requires bindings.wgsl
// requires weights-uniform.wgsl
// requires lane.wgsl
const POINTWISE = true;
