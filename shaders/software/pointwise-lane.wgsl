// lane.wgsl for 1×1 convolutions of stride 1 without padding: neither windows nor bounds.
#include "conv/weights.wgsl"
#include "software/lane.wgsl"
const POINTWISE = true;
