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

// left, top, right, bottom, from the middle's offset and the logarithms of width and height, in sides of the anchor
fn box_of(place: Place, image: ImageParams, deltas: vec4f) -> vec4f {
  let side = side_of(place);
  let middle = centre_of(place) + deltas.xy * side;
  let size = exp(deltas.zw) * side;
  var box = vec4f(middle - (size - 1.0) * 0.5, middle + (size - 1.0) * 0.5);
  if (has(image.flags, CLIP) && all(are_finite(box))) {
    box = clamp(box, vec4f(), vec2f(vec2i(image.new_width, image.new_height)).xyxy);
  }
  return box / image.scale.xyxy;
}

// y, x, y, x of keypoints, in pixels of the input
fn points_of(place: Place, offsets: vec4f) -> vec4f {
  return centre_of(place).yxyx + offsets * (side_of(place) * KEYPOINT_STD);
}
