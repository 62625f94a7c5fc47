// Batch normalisation that no convolution could take: x * scale + shift a channel, on NC4HW4.
// affine holds every block's scale, then every block's shift.
struct Params {
  blocks: i32,
  plane_size: i32,
  count: i32,
}

// how images are stored, half floats where asked; what is computed is float32
alias In = vec4f;
alias Out = vec4f;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read> affine: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<Out>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = i32(gid.x + gid.y * groups.x * WORKGROUP);
  if (i >= p.count) {
    return;
  }
  let block = i / p.plane_size % p.blocks;
  output[i] = Out(vec4f(input[i]) * affine[block] + affine[p.blocks + block]);
}
