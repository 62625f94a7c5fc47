// The weights of a tap for an invocation's BLOCKS blocks of output, in the shaders that include split.wgsl: from index w on.
#for q < BLOCKS
let w{q}_x = weight(w + {q*4});
let w{q}_y = weight(w + {q*4+1});
let w{q}_z = weight(w + {q*4+2});
let w{q}_w = weight(w + {q*4+3});
#end
