// Combines two tensors on NC4HW4.
#include "tensor/pairs.wgsl"
#include "general/combination.wgsl"
