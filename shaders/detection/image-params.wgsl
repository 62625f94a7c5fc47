// What the letterbox, decode and NMS kernels know of one image at one input size, see image-params.ts.
struct ImageParams {
  // image size, bytes a pixel and bytes a row
  width: i32,
  height: i32,
  channels: i32,
  row_bytes: i32,
  // words of all pixels before this image; size after resizing; entries of the resize table before this image's
  first_word: i32,
  new_width: i32,
  new_height: i32,
  first_entry: i32,
  // resized pixels per original pixel, along x and y
  scale: vec2f,
  score_threshold: f32,
  iou_threshold: f32,
  max_faces: i32,
  // sums of the constants below
  flags: i32,
  // what the input holds beyond the image, normalised
  padding: f32,
  // 1 where a box includes its last pixel, else 0
  last_pixel: f32,
}

const PREFER_CENTRAL = 1;
const BLUE_FIRST = 2;
const CLIP = 4;

fn has(flags: i32, flag: i32) -> bool {
  return (flags & flag) != 0;
}
