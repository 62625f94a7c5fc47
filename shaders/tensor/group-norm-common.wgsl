struct Params {
  channels: i32,
  groups: i32,
  plane_size: i32,
  // channels that are stored side by side: 4: NC4HW4, 1: row-major
  step: i32,
  low: f32,
  high: f32,
  slope: f32,
  epsilon: f32,
}

alias In = f32;
alias Out = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;

// of a workgroup; more than there is to do for where it runs beside others
override INVOCATIONS: u32;
override WORKGROUP: i32 = i32(INVOCATIONS);
// of a workgroup's part of a group, in each of its channels
override PIXELS: i32;
// neighbouring invocations with neighbouring channels
override LANES: i32;

fn first_of(n: i32, channel: i32) -> i32 {
  let blocks = (p.channels + p.step - 1) / p.step;
  return (n * blocks + channel / p.step) * p.plane_size * p.step + channel % p.step;
}

var<workgroup> partial: array<vec2f, WORKGROUP>;

fn sum_of_workgroup(thread: i32, value: vec2f) -> vec2f {
  workgroupBarrier();
  partial[thread] = value;
  workgroupBarrier();
  for (var half = WORKGROUP / 2; half > 0; half /= 2) {
    if (thread < half) {
      partial[thread] += partial[thread + half];
    }
    workgroupBarrier();
  }
  return partial[0];
}
