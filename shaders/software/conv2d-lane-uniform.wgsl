// lane.wgsl for windows, strides and padding of any size, weights in uniform buffers.
#include "software/weights-uniform.wgsl"
#include "software/lane.wgsl"
const POINTWISE = false;
