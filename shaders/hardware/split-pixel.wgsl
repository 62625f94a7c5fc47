// Pixels of pointwise convolutions that include split.wgsl: those of an invocation are LANES apart.

// x and y of an invocation's pixel
fn pixel_of(group: i32, lane: i32, p: i32) -> vec2i {
  let pixel = (group * PIXELS + p) * LANES + lane;
  return vec2i(pixel % OUT_W, pixel / OUT_W);
}
