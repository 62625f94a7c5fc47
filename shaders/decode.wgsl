// SCRFD heads → candidates: every anchor whose score reaches the threshold, in original-image pixels.
// A head holds, for A anchors a cell, the channels [A score logits | 4A distances | 10A keypoint offsets], on NC4HW4.
// Candidates arrive in any order; sort-candidates.wgsl puts them right.
// requires frame.wgsl
struct Level {
  // global index of the level's first anchor
  first: i32,
  width: i32,
  plane_size: i32,
  stride: i32,
}

struct Params {
  levels: i32,
  // a cell
  anchors: i32,
  // of all levels
  total: i32,
  keypoints: i32,
  level: array<Level, 5>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> frames: array<Frame>;
// unused levels are bound to the first one
@group(0) @binding(2) var<storage, read> head0: array<f32>;
@group(0) @binding(3) var<storage, read> head1: array<f32>;
@group(0) @binding(4) var<storage, read> head2: array<f32>;
@group(0) @binding(5) var<storage, read> head3: array<f32>;
@group(0) @binding(6) var<storage, read> head4: array<f32>;
// an image's part: count, 0, then (score bits, anchor index) pairs
@group(0) @binding(7) var<storage, read_write> candidates: array<atomic<u32>>;
// an image's part: 16 floats an anchor: box, score, keypoints; written for candidates only
@group(0) @binding(8) var<storage, read_write> records: array<vec4f>;

override WORKGROUP: u32 = 64;

fn element(level: i32, i: i32) -> f32 {
  switch (level) {
    case 0: {
      return head0[i];
    }
    case 1: {
      return head1[i];
    }
    case 2: {
      return head2[i];
    }
    case 3: {
      return head3[i];
    }
    default: {
      return head4[i];
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let anchor = i32(gid.x);
  let n = i32(gid.y);
  if (anchor >= p.total) {
    return;
  }
  var level = 0;
  while (level + 1 < p.levels && anchor >= p.level[level + 1].first) {
    level++;
  }
  let l = p.level[level];
  let cell = (anchor - l.first) / p.anchors;
  let a = (anchor - l.first) % p.anchors;
  let frame = frames[n];
  let per_anchor = select(5, 15, p.keypoints != 0);
  let image = n * ((p.anchors * per_anchor + 3) / 4) * l.plane_size;

  // element address of channel c: (image + c / 4 * plane_size + cell) * 4 + c % 4
  let logit = element(level, (image + a / 4 * l.plane_size + cell) * 4 + a % 4);
  let score = 1.0 / (1.0 + exp(-clamp(logit, -80.0, 80.0)));
  if (!(score >= frame.score_threshold)) {
    return;
  }

  let centre = vec2f(vec2i(cell % l.width, cell / l.width) * l.stride);
  var values: array<f32, 16>;
  for (var i = 0; i < per_anchor - 1; i++) {
    let first = select(p.anchors * 5 + a * 10 - 4, p.anchors + a * 4, i < 4);
    let c = first + i;
    let distance = element(level, (image + c / 4 * l.plane_size + cell) * 4 + c % 4) * f32(l.stride);
    // box sides are left, top, right, bottom distances; keypoints are x, y offsets
    let offset = select(distance, -distance, i < 2);
    values[select(i + 1, i, i < 4)] = (select(centre.x, centre.y, i % 2 == 1) + offset) / frame.scale;
  }
  values[4] = score;

  let base = (n * p.total + anchor) * 4;
  for (var i = 0; i < 4; i++) {
    records[base + i] = vec4f(values[i * 4], values[i * 4 + 1], values[i * 4 + 2], values[i * 4 + 3]);
  }
  let list = u32(n * (p.total + 1)) * 2u;
  let slot = list + 2u + atomicAdd(&candidates[list], 1u) * 2u;
  atomicStore(&candidates[slot], bitcast<u32>(score));
  atomicStore(&candidates[slot + 1u], u32(anchor));
}
