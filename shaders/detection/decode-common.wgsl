// What the decoders share: one NC4HW4 head a stride in, candidates out. LOGITS, score_of(), box_of() and points_of() are theirs.
#include "detection/image-params.wgsl"
struct Level {
  // index of the level's first anchor at this input size
  first: i32,
  width: i32,
  plane_size: i32,
  stride: i32,
  // side of a cell's first anchor, in pixels of the input; each further anchor is half as large. SCRFD has no sizes
  side: i32,
  unused0: i32,
  unused1: i32,
  unused2: i32,
}

struct Params {
  levels: i32,
  // anchors of a cell
  anchors: i32,
  // anchors of all levels
  count: i32,
  // channels of an anchor
  channels: i32,
  // anchors of all input sizes, and of those before this one; image_params before this input size's
  total: i32,
  first_anchor: i32,
  first_image: i32,
  unused: i32,
  level: array<Level, 5>,
}

alias In = f32;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> image_params: array<ImageParams>;
// unused levels are bound to the first one
@group(0) @binding(2) var<storage, read> head0: array<In>;
@group(0) @binding(3) var<storage, read> head1: array<In>;
@group(0) @binding(4) var<storage, read> head2: array<In>;
@group(0) @binding(5) var<storage, read> head3: array<In>;
@group(0) @binding(6) var<storage, read> head4: array<In>;
// an image's part: count, 0, then (score bits, anchor index) pairs
@group(0) @binding(7) var<storage, read_write> candidates: array<atomic<u32>>;
// an image's part: a record an anchor, box, score and keypoints; written for candidates only
@group(0) @binding(8) var<storage, read_write> records: array<vec4f>;

override WORKGROUP: u32 = 64;

alias Value = f32;
#include "activation.wgsl"

fn element(level: i32, i: i32) -> f32 {
  switch (level) {
    case 0: {
      return f32(head0[i]);
    }
    case 1: {
      return f32(head1[i]);
    }
    case 2: {
      return f32(head2[i]);
    }
    case 3: {
      return f32(head3[i]);
    }
    default: {
      return f32(head4[i]);
    }
  }
}

// where an anchor lies
struct Place {
  level: i32,
  // index among the level's cells, and among the cell's anchors
  cell: i32,
  anchor: i32,
  // vectors before the image's part of the head
  image: i32,
}

fn place_of(n: i32, anchor: i32) -> Place {
  var level = 0;
  while (level + 1 < p.levels && anchor >= p.level[level + 1].first) {
    level++;
  }
  let within = anchor - p.level[level].first;
  let blocks = (p.anchors * p.channels + 3) / 4;
  return Place(level, within / p.anchors, within % p.anchors, n * blocks * p.level[level].plane_size);
}

// the cell's value of one channel of the head
fn channel(place: Place, c: i32) -> f32 {
  let vector = place.image + c / 4 * p.level[place.level].plane_size + place.cell;
  return element(place.level, vector * 4 + c % 4);
}

// coordinates of an anchor's keypoints
fn coordinates() -> i32 {
  return p.channels - LOGITS - 4;
}

// vectors of a record: box, score, keypoints, and room for five of these
fn record_vectors() -> i32 {
  return max(4, (5 + coordinates() + 3) / 4);
}

fn append(n: i32, anchor: i32, score: f32) {
  let list = u32(n * (p.total + 1)) * 2u;
  let slot = list + 2u + atomicAdd(&candidates[list], 1u) * 2u;
  atomicStore(&candidates[slot], bitcast<u32>(score));
  atomicStore(&candidates[slot + 1u], u32(anchor));
}

// by their bits: compilers may take it that numbers are finite
fn are_finite(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7f800000u)) != vec4u(0x7f800000u);
}

const LANES = vec4i(0, 1, 2, 3);

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let anchor = i32(gid.x);
  let n = i32(gid.y);
  if (anchor >= p.count) {
    return;
  }
  let place = place_of(n, anchor);
  let score = score_of(place);
  let image = image_params[p.first_image + n];
  if (score >= image.score_threshold) {
    let global_anchor = p.first_anchor + anchor;
    let base = (n * p.total + global_anchor) * record_vectors();
    var numbers = vec4f();
    var finite = true;
    // one place that reads the head, in a loop that nobody unrolls: software rasterisers compile each for a tenth of a second
    for (var i = 0; i < record_vectors() * 4; i++) {
      let side = p.anchors * LOGITS + place.anchor * 4 + i;
      let point = p.anchors * (LOGITS + 4) + place.anchor * coordinates() + i - 5;
      numbers = select(numbers, vec4f(channel(place, select(point, side, i < 4))), LANES == vec4i(i % 4));
      if (i % 4 == 3) {
        var record = box_of(place, image, numbers);
        if (i > 4) {
          // behind the box come the score and the coordinates; numbers beyond these are not the anchor's
          let at = LANES + (i - 8);
          record = select(vec4f(), points_of(place, numbers) / image.scale.yxyx, at < vec4i(coordinates()));
          record = select(record, vec4f(score), at == vec4i(-1));
        }
        records[base + i / 4] = record;
        finite &= all(are_finite(record));
      }
    }
    if (finite) {
      append(n, global_anchor, score);
    }
  }
}
