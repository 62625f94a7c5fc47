// Elementwise operation of two tensors on NC4HW4.
#include "tensor/pairs.wgsl"
#include "tensor/binary-operation.wgsl"
