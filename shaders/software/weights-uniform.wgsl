// Weights in a uniform buffer, of the size that every device can bind: lavapipe (Mesa 25.0) tests and branches for every
// component of every lane that it loads from storage, and does not for uniforms.
@group(0) @binding(2) var<uniform> weights: array<vec4f, 4096>;
