// Elementwise activation of a whole buffer, whatever its layout.
struct Params {
  vectors: i32,
  sigmoid: i32,
  slope: f32,
  low: f32,
  high: f32,
}

// how images are stored, half floats where asked; what is computed is float32
alias In = vec4f;
alias Out = vec4f;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = i32(gid.x + gid.y * groups.x * WORKGROUP);
  if (i >= p.vectors) {
    return;
  }
  let v = vec4f(input[i]);
  let bounded = clamp(select(v * p.slope, v, v >= vec4f(0.0)), vec4f(p.low), vec4f(p.high));
  if (p.sigmoid != 0) {
    output[i] = Out(1.0 / (1.0 + exp(-clamp(bounded, vec4f(-80.0), vec4f(80.0)))));
  } else {
    output[i] = Out(bounded);
  }
}
