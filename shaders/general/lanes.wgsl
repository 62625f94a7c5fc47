// Results that LANES neighbouring invocations of a workgroup have a part of each, LANES being a power of two. Parts are merged in one order,
// always. merge() is the shader's own.
const WORKGROUP = 64;
const LANES = 1;

var<workgroup> partial: array<f32, WORKGROUP>;

// what merges of all parts give, for each of the neighbours; all of a workgroup must come here
fn merge_lanes(how: u32, thread: i32, part: f32) -> f32 {
  if (LANES == 1) {
    return part;
  }
  partial[thread] = part;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (thread % LANES < half) {
      partial[thread] = merge(how, partial[thread], partial[thread + half]);
    }
  }
  workgroupBarrier();
  let whole = partial[thread / LANES * LANES];
  workgroupBarrier();
  return whole;
}
