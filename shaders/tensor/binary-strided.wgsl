// Elementwise operation of two row-major tensors of up to 8 dimensions, each broadcast by zero strides.
struct Params {
  count: i32,
  // aligned to the left; trailing unused dimensions are 1
  dims: array<vec4i, 2>,
  a_strides: array<vec4i, 2>,
  b_strides: array<vec4i, 2>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

override WORKGROUP: u32 = 64;
// 0 add, 1 subtract, 2 multiply, 3 divide, 4 prelu
override OPERATION: u32 = 0;

fn apply(x: f32, y: f32) -> f32 {
  switch (OPERATION) {
    case 0: {
      return x + y;
    }
    case 1: {
      return x - y;
    }
    case 2: {
      return x * y;
    }
    case 3: {
      return x / y;
    }
    default: {
      return select(x * y, x, x >= 0.0);
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = i32(gid.x + gid.y * groups.x * WORKGROUP);
  if (i >= p.count) {
    return;
  }
  var rest = i;
  var ia = 0;
  var ib = 0;
  for (var axis = 7; axis >= 0; axis--) {
    let dim = p.dims[axis / 4][axis % 4];
    let position = rest % dim;
    rest /= dim;
    ia += position * p.a_strides[axis / 4][axis % 4];
    ib += position * p.b_strides[axis / 4][axis % 4];
  }
  output[i] = apply(a[ia], b[ib]);
}
