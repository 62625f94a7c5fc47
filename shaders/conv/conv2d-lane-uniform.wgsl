// lane.wgsl for windows, strides and padding of any size, weights in uniform buffers.
#include "conv/weights-uniform.wgsl"
#include "conv/lane.wgsl"
const POINTWISE = false;
