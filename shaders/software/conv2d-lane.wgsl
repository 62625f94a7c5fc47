// lane.wgsl for windows, strides and padding of any size.
#include "conv/weights.wgsl"
#include "software/lane.wgsl"
const POINTWISE = false;
