struct Params {
  channels: i32,
  groups: i32,
  plane_size: i32,
  // 1: NC4HW4, 0: row-major
  packed: i32,
  low: f32,
  high: f32,
  slope: f32,
  epsilon: f32,
}

alias In = f32;
alias Out = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;

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

// A mean is off by a few ULPs of its own, which is much where numbers lie far from zero and close together. So numbers are taken
// relative to that mean, a center, from where on rounding is one of their spread: sums are those of the differences and of their squares.
struct Moments {
  center: f32,
  // how far the mean is from the center
  rest: f32,
  // 1 / standard deviation
  scale: f32,
}

fn moments_of(center: f32, sums: vec2f, count: f32) -> Moments {
  let rest = sums.x / count;
  return Moments(center, rest, inverseSqrt(max(sums.y - sums.x * rest, 0.0) / count + p.epsilon));
}

fn normalize(x: f32, moments: Moments, gain: f32, shift: f32) -> f32 {
  // subtract first: two products far from zero would cancel
  return (x - moments.center - moments.rest) * gain + shift;
}
