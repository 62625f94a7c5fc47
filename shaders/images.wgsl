// How images are stored, see src/kernels/wgsl.ts: as half floats where asked. What is computed is float32.
alias In = vec4f;
alias Out = vec4f;
