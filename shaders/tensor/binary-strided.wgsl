// Elementwise operation of two row-major tensors.
#include "tensor/pairs-strided.wgsl"
#include "tensor/binary-operation.wgsl"
