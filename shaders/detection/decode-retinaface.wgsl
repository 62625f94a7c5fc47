// RetinaFace heads → candidates, as decode-scrfd.wgsl does it for SCRFD. A head holds, for A anchors a cell, the channels
// [A background logits | A face logits | 4A box deltas | 10A keypoint offsets], on NC4HW4.
#include "detection/decode-common.wgsl"

// score logits of an anchor
const LOGITS = 2;
// an anchor of 16 pixels covers pixels 0 to 15
const FIRST_CENTRE = 7.5;
// the offsets were divided by this in training
const KEYPOINT_STD = 0.2;

// the softmax of two logits
fn score_of(place: Place) -> f32 {
  return sigmoid(channel(place, p.anchors + place.anchor) - channel(place, place.anchor));
}

fn side_of(place: Place) -> f32 {
  return f32(p.level[place.level].side >> u32(place.anchor));
}

fn centre_of(place: Place) -> vec2f {
  let l = p.level[place.level];
  return vec2f(vec2i(place.cell % l.width, place.cell / l.width) * l.stride) + FIRST_CENTRE;
}

fn box_of(place: Place, image: ImageParams) -> vec4f {
  let side = side_of(place);
  let c = p.anchors * 2 + place.anchor * 4;
  let middle = centre_of(place) + vec2f(channel(place, c), channel(place, c + 1)) * side;
  let size = exp(vec2f(channel(place, c + 2), channel(place, c + 3))) * side;
  var low = middle - (size - 1.0) * 0.5;
  var high = middle + (size - 1.0) * 0.5;
  if (has(image.flags, CLIP) && is_finite(low.x + low.y + high.x + high.y)) {
    let end = vec2f(vec2i(image.new_width, image.new_height));
    low = clamp(low, vec2f(), end);
    high = clamp(high, vec2f(), end);
  }
  return vec4f(low / image.scale, high / image.scale);
}

// the keypoints' x and y in turn, in pixels of the input
fn coordinate(place: Place, c: i32) -> f32 {
  let centre = centre_of(place);
  let offset = channel(place, p.anchors * 6 + place.anchor * coordinates() + c) * (side_of(place) * KEYPOINT_STD);
  return select(centre.x, centre.y, c % 2 == 1) + offset;
}
