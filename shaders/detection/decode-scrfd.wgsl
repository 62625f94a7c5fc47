// SCRFD heads → candidates: every anchor whose score reaches the threshold, in original-image pixels.
// A head holds, for A anchors a cell, the channels [A score logits | 4A distances | 10A keypoint offsets], on NC4HW4.
// Candidates arrive in any order; sort-candidates.wgsl puts them right.
#include "detection/decode-common.wgsl"

fn score_of(place: Place) -> f32 {
  return sigmoid(channel(place, place.anchor));
}

fn decode(place: Place, score: f32, image: ImageParams) -> array<f32, 16> {
  let l = p.level[place.level];
  let centre = vec2f(vec2i(place.cell % l.width, place.cell / l.width) * l.stride);
  var values: array<f32, 16>;
  values[4] = score;
  for (var i = 0; i < p.channels - 1; i++) {
    let first = select(p.anchors * 5 + place.anchor * 10 - 4, p.anchors + place.anchor * 4, i < 4);
    let distance = channel(place, first + i) * f32(l.stride);
    // box sides are left, top, right, bottom distances; keypoints are x, y offsets
    let offset = select(distance, -distance, i < 2);
    let vertical = i % 2 == 1;
    var position = select(centre.x, centre.y, vertical) + offset;
    if (i < 4 && has(image.flags, CLIP) && is_finite(position)) {
      position = clamp(position, 0.0, f32(select(image.new_width, image.new_height, vertical)));
    }
    values[select(i + 1, i, i < 4)] = position / select(image.scale.x, image.scale.y, vertical);
  }
  return values;
}
