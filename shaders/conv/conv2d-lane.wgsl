// conv-lane.wgsl for windows, strides and padding of any size.
#include "conv/epilogue.wgsl"
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
#include "conv/lane.wgsl"
const POINTWISE = false;
