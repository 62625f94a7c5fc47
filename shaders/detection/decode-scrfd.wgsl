// SCRFD heads → candidates: every anchor whose score reaches the threshold, in original-image pixels.
// A head holds, for A anchors a cell with K keypoints, the channels [A score logits | 4A distances | 2KA keypoint offsets], on NC4HW4.
// Candidates arrive in any order; sort-candidates.wgsl puts them right.
#include "detection/decode-common.wgsl"

// score logits of an anchor
const LOGITS = 1;

fn score_of(place: Place) -> f32 {
  return sigmoid(channel(place, place.anchor));
}

fn centre_of(place: Place) -> vec2f {
  let l = p.level[place.level];
  return vec2f(vec2i(place.cell % l.width, place.cell / l.width) * l.stride);
}

// box sides are left, top, right, bottom distances
fn box_of(place: Place, image: ImageParams) -> vec4f {
  let centre = centre_of(place);
  var box = vec4f();
  for (var i = 0; i < 4; i++) {
    let distance = channel(place, p.anchors + place.anchor * 4 + i) * f32(p.level[place.level].stride);
    let vertical = i % 2 == 1;
    var position = select(centre.x, centre.y, vertical) + select(distance, -distance, i < 2);
    if (has(image.flags, CLIP) && is_finite(position)) {
      position = clamp(position, 0.0, f32(select(image.new_width, image.new_height, vertical)));
    }
    box[i] = position / select(image.scale.x, image.scale.y, vertical);
  }
  return box;
}

// the keypoints' x and y in turn, in pixels of the input
fn coordinate(place: Place, c: i32) -> f32 {
  let centre = centre_of(place);
  let offset = channel(place, p.anchors * 5 + place.anchor * coordinates() + c) * f32(p.level[place.level].stride);
  return select(centre.x, centre.y, c % 2 == 1) + offset;
}
