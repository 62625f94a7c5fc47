// NCHW → NC4HW4; the lanes beyond the last channel become 0.
struct Params {
  channels: i32,
  blocks: i32,
  plane_size: i32,
  count: i32,
}

// how images are stored, half floats where asked; what is computed is float32
alias Out = vec4f;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = i32(gid.x + gid.y * groups.x * WORKGROUP);
  if (i >= p.count) {
    return;
  }
  let plane = i / p.plane_size;
  let channel = plane % p.blocks * 4;
  let first = (plane / p.blocks * p.channels + channel) * p.plane_size + i % p.plane_size;
  var v = vec4f();
  for (var lane = 0; lane < min(4, p.channels - channel); lane++) {
    v[lane] = input[first + lane * p.plane_size];
  }
  output[i] = Out(v);
}
