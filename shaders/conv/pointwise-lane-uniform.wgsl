// lane.wgsl for 1×1 convolutions of stride 1 without padding: neither windows nor bounds, weights in uniform buffers.
#include "conv/weights-uniform.wgsl"
#include "conv/lane.wgsl"
const POINTWISE = true;
