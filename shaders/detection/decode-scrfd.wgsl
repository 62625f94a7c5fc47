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

// left, top, right, bottom, from the distances to these
fn box_of(place: Place, image: ImageParams, distances: vec4f) -> vec4f {
  let reach = distances * f32(p.level[place.level].stride);
  let position = centre_of(place).xyxy + vec4f(-reach.xy, reach.zw);
  let end = vec2f(vec2i(image.new_width, image.new_height)).xyxy;
  let clips = are_finite(position) & vec4<bool>(has(image.flags, CLIP));
  return select(position, clamp(position, vec4f(), end), clips) / image.scale.xyxy;
}

// y, x, y, x of keypoints, in pixels of the input
fn points_of(place: Place, offsets: vec4f) -> vec4f {
  return centre_of(place).yxyx + offsets * f32(p.level[place.level].stride);
}
