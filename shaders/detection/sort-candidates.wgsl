// Sorts each image's candidates by score, highest first, then by anchor index, lowest first.
// One workgroup an image; a bitonic network whose every comparator puts the earlier element first,
// so that elements beyond the count need not exist. Right for any count.
struct Params {
  // anchors of all levels and input sizes
  total: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// an image's part: (count, 0), then (score bits, anchor index)
@group(0) @binding(1) var<storage, read_write> candidates: array<vec2u>;

override WORKGROUP: u32 = 256;
var<workgroup> count_shared: u32;

// positive floats order as their bits do
fn precedes(a: vec2u, b: vec2u) -> bool {
  return a.x > b.x || (a.x == b.x && a.y < b.y);
}

fn order(first: u32, i: u32, j: u32, count: u32) {
  if (j >= count) {
    return;
  }
  let a = candidates[first + i];
  let b = candidates[first + j];
  if (precedes(b, a)) {
    candidates[first + i] = b;
    candidates[first + j] = a;
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let list = group.x * (p.total + 1u);
  if (thread == 0u) {
    count_shared = min(candidates[list].x, p.total);
  }
  let count = workgroupUniformLoad(&count_shared);
  let first = list + 1u;
  for (var run = 1u; run < count; run *= 2u) {
    // merge two sorted runs: compare mirrored, then at halving distances
    for (var i = thread; i < count; i += WORKGROUP) {
      let at = i / run * 2u * run + i % run;
      order(first, at, i / run * 2u * run + 2u * run - 1u - i % run, count);
    }
    storageBarrier();
    for (var distance = run / 2u; distance > 0u; distance /= 2u) {
      for (var i = thread; i < count; i += WORKGROUP) {
        let at = i / distance * 2u * distance + i % distance;
        order(first, at, at + distance, count);
      }
      storageBarrier();
    }
  }
}
