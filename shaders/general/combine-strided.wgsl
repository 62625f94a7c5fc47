// Combines two row-major tensors.
#include "tensor/pairs-strided.wgsl"
#include "general/combination.wgsl"
