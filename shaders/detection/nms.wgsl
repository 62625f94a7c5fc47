// Greedy non-maximum suppression over sorted candidates, then the choice of the best max_faces. One workgroup an image
// walks the candidates 64 at a time: each lane checks its own box against all kept ones and against earlier boxes of the same
// 64; lane 0 settles those in order.
#include "detection/image-params.wgsl"
struct Params {
  // anchors of all levels and input sizes
  total: u32,
  // vectors of a record
  record: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> image_params: array<ImageParams>;
// box, score, keypoints: a record an anchor
@group(0) @binding(2) var<storage, read> records: array<vec4f>;
// an image's part: (count, 0), then (score bits, anchor index), sorted; overwritten
@group(0) @binding(3) var<storage, read_write> candidates: array<vec2u>;
// an image's part: (faces, faces before max_faces, candidates, 0), then the faces' records
@group(0) @binding(4) var<storage, read_write> faces: array<vec4f>;

const LANES = 64u;
var<workgroup> count_shared: u32;
var<workgroup> boxes: array<vec4f, LANES>;
// bit j: suppressed by the box of lane j if that one is kept
var<workgroup> suppressors: array<vec2u, LANES>;
var<workgroup> alive_shared: array<u32, LANES>;
var<workgroup> keep_shared: vec2u;

fn overlaps(a: vec4f, b: vec4f, image: ImageParams) -> bool {
  let area_a = (a.z - a.x + image.last_pixel) * (a.w - a.y + image.last_pixel);
  let area_b = (b.z - b.x + image.last_pixel) * (b.w - b.y + image.last_pixel);
  let sides = max(min(a.zw, b.zw) - max(a.xy, b.xy) + image.last_pixel, vec2f(0.0));
  let shared_area = sides.x * sides.y;
  let all_area = area_a + area_b - shared_area;
  if (all_area == 0.0) {
    // boxes of no area: insightface keeps what is <= threshold, mmdet drops what is > threshold; 0 / 0 is neither
    return image.last_pixel != 0.0;
  }
  return shared_area / all_area > image.iou_threshold;
}

fn bit(lane: u32) -> vec2u {
  return select(vec2u(0u, 1u << (lane % 32u)), vec2u(1u << lane, 0u), lane < 32u);
}

fn ones(mask: vec2u) -> u32 {
  return countOneBits(mask.x) + countOneBits(mask.y);
}

fn copy_record(from_anchor: u32, to: u32) {
  for (var i = 0u; i < p.record; i++) {
    faces[to + i] = records[from_anchor * p.record + i];
  }
}

// insightface's max_num: large faces first, near the centre if asked
fn importance(box: vec4f, image: ImageParams) -> f32 {
  let area = (box.z - box.x) * (box.w - box.y);
  let offset = (box.xy + box.zw) / 2.0 - vec2f(vec2i(image.width / 2, image.height / 2));
  return select(area, area - dot(offset, offset) * 2.0, has(image.flags, PREFER_CENTRAL));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = group.x;
  let first = n * (p.total + 1u) + 1u;
  let first_face = n * (p.total * p.record + 1u) + 1u;
  let image = image_params[n];
  if (lane == 0u) {
    count_shared = min(candidates[first - 1u].x, p.total);
  }
  let count = workgroupUniformLoad(&count_shared);

  var kept = 0u;
  for (var start = 0u; start < count; start += LANES) {
    var alive = start + lane < count;
    var anchor = 0u;
    var box = vec4f();
    if (alive) {
      anchor = candidates[first + start + lane].y;
      box = records[(n * p.total + anchor) * p.record];
      for (var k = 0u; k < kept && alive; k++) {
        alive = !overlaps(faces[first_face + k * p.record], box, image);
      }
    }
    boxes[lane] = box;
    alive_shared[lane] = u32(alive);
    workgroupBarrier();

    var mine = vec2u();
    if (alive) {
      for (var j = 0u; j < lane; j++) {
        if (overlaps(boxes[j], box, image)) {
          mine |= bit(j);
        }
      }
    }
    suppressors[lane] = mine;
    workgroupBarrier();

    if (lane == 0u) {
      var keep = vec2u();
      for (var j = 0u; j < LANES; j++) {
        if (alive_shared[j] != 0u && all((suppressors[j] & keep) == vec2u())) {
          keep |= bit(j);
        }
      }
      keep_shared = keep;
    }
    let keep = workgroupUniformLoad(&keep_shared);
    if (any((keep & bit(lane)) != vec2u())) {
      // bit(lane) minus one, over 64 bits: the lanes before this one
      let before = select(vec2u(0xffffffffu, (1u << (lane % 32u)) - 1u), vec2u((1u << lane) - 1u, 0u), lane < 32u);
      let place = kept + ones(keep & before);
      candidates[first + place] = vec2u(0u, anchor);
      copy_record(n * p.total + anchor, first_face + place * p.record);
    }
    kept += ones(keep);
    storageBarrier();
  }

  var chosen = kept;
  let limit = u32(max(image.max_faces, 0));
  if (limit > 0u && kept > limit) {
    chosen = limit;
    for (var i = lane; i < kept; i += LANES) {
      let mine = importance(faces[first_face + i * p.record], image);
      var rank = 0u;
      for (var j = 0u; j < kept; j++) {
        let other = importance(faces[first_face + j * p.record], image);
        if (other > mine || (other == mine && j < i)) {
          rank++;
        }
      }
      candidates[first + i].x = rank;
    }
  }
  storageBarrier();
  if (chosen < kept) {
    for (var i = lane; i < kept; i += LANES) {
      let ranked = candidates[first + i];
      if (ranked.x < limit) {
        copy_record(n * p.total + ranked.y, first_face + ranked.x * p.record);
      }
    }
  }
  if (lane == 0u) {
    faces[first_face - 1u] = vec4f(f32(chosen), f32(kept), f32(count), 0.0);
  }
}
