// A video frame where the browser has it → RGBA bytes among the pixels of images, as a copy to a texture and from there brings them.
// One invocation writes one pixel.
struct Params {
  // the frame's size in pixels
  width: i32,
  height: i32,
  // words of one of its rows, and of all pixels before it
  row_words: i32,
  first_word: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var frame: texture_external;
@group(0) @binding(2) var<storage, read_write> pixels: array<u32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let x = i32(gid.x);
  let y = i32(gid.y);
  if (x >= p.width || y >= p.height) {
    return;
  }
  let colour = textureLoad(frame, vec2i(x, y));
  // alpha comes multiplied in, and copies divide by it
  let opaque = colour.rgb / select(1.0, colour.a, colour.a > 0.0);
  pixels[p.first_word + y * p.row_words + x] = pack4x8unorm(vec4f(opaque, colour.a));
}
