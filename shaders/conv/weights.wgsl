@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
