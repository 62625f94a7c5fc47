// One image of a batch, as the letterbox, decode and NMS kernels know it; see frame.ts.
struct Frame {
  // image size and bytes a pixel; words of all pixels before this image
  width: i32,
  height: i32,
  channels: i32,
  first_word: i32,
  // size after resizing; taps before this image
  new_width: i32,
  new_height: i32,
  first_tap: i32,
  scale: f32,
  score_threshold: f32,
  iou_threshold: f32,
  max_faces: i32,
  prefer_central: i32,
}
