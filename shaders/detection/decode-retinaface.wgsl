// RetinaFace heads → candidates, as decode-scrfd.wgsl does it for SCRFD. A head holds, for A anchors a cell, the channels
// [A background logits | A face logits | 4A box deltas | 10A keypoint offsets], on NC4HW4.
#include "detection/decode-common.wgsl"

// an anchor of 16 pixels covers pixels 0 to 15
const FIRST_CENTRE = 7.5;
// the offsets were divided by this in training
const KEYPOINT_STD = 0.2;

// the softmax of two logits
fn score_of(place: Place) -> f32 {
  return sigmoid(channel(place, p.anchors + place.anchor) - channel(place, place.anchor));
}

fn decode(place: Place, score: f32, image: ImageParams) -> array<f32, 16> {
  let l = p.level[place.level];
  let side = f32(l.side >> u32(place.anchor));
  let centre = vec2f(vec2i(place.cell % l.width, place.cell / l.width) * l.stride) + FIRST_CENTRE;
  let c = p.anchors * 2 + place.anchor * 4;
  let middle = centre + vec2f(channel(place, c), channel(place, c + 1)) * side;
  let size = exp(vec2f(channel(place, c + 2), channel(place, c + 3))) * side;
  var low = middle - (size - 1.0) * 0.5;
  var high = middle + (size - 1.0) * 0.5;
  if (has(image.flags, CLIP) && is_finite(low.x + low.y + high.x + high.y)) {
    let end = vec2f(vec2i(image.new_width, image.new_height));
    low = clamp(low, vec2f(), end);
    high = clamp(high, vec2f(), end);
  }
  low /= image.scale;
  high /= image.scale;
  var values: array<f32, 16>;
  values[0] = low.x;
  values[1] = low.y;
  values[2] = high.x;
  values[3] = high.y;
  values[4] = score;
  for (var i = 0; i < 10; i++) {
    let offset = channel(place, p.anchors * 6 + place.anchor * 10 + i) * (side * KEYPOINT_STD);
    let vertical = i % 2 == 1;
    values[5 + i] = (select(centre.x, centre.y, vertical) + offset) / select(image.scale.x, image.scale.y, vertical);
  }
  return values;
}
