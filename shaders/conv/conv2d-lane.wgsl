// lane.wgsl for windows, strides and padding of any size.
#include "conv/weights.wgsl"
#include "conv/lane.wgsl"
const POINTWISE = false;
