// SCRFD heads → candidates: every anchor whose score reaches the threshold, in original-image pixels.
// A head holds, for A anchors a cell, the channels [A score logits | 4A distances | 10A keypoint offsets], on NC4HW4.
// Candidates arrive in any order; sort-candidates.wgsl puts them right.
#include "detection/image-params.wgsl"
#include "detection/decode-common.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let anchor = i32(gid.x);
  let n = i32(gid.y);
  if (anchor >= p.count) {
    return;
  }
  let place = place_of(n, anchor);
  let score = sigmoid(channel(place, place.anchor));
  let frame = frames[p.first_frame + n];
  if (!(score >= frame.score_threshold)) {
    return;
  }
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
    if (i < 4 && has(frame.flags, CLIP)) {
      position = clamp(position, 0.0, f32(select(frame.new_width, frame.new_height, vertical)));
    }
    values[select(i + 1, i, i < 4)] = position / select(frame.scale.x, frame.scale.y, vertical);
  }
  append(n, anchor, values);
}
