// RGB(A) or BGR(A) bytes → resized as OpenCV does on uint8, pasted top-left on the network's input, normalised to
// (v - 127.5) / 128, as NC4HW4. Integers until the last step.
#include "detection/image-params.wgsl"
struct Params {
  width: i32,
  height: i32,
  // image_params of other input sizes before this one's
  first_image: i32,
}

// two inputs and their weights in 1/2048
struct ResizeEntry {
  first: i32,
  second: i32,
  first_weight: i32,
  second_weight: i32,
}

alias Out = vec4f;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> resize_table: array<ResizeEntry>;
@group(0) @binding(3) var<storage, read> image_params: array<ImageParams>;
@group(0) @binding(4) var<storage, read_write> output: array<Out>;

override WORKGROUP: u32 = 64;
// rows that one invocation writes, below each other: what they share is read once
const ROWS = 8;
#include "detection/bytes.wgsl"

// where pixels lie; only what is needed of ImageParams, because every field costs a load
struct Source {
  first_word: u32,
  row_bytes: i32,
  blue_first: bool,
}

// the pixel whose bytes begin at this offset in a row
fn pixel(source: Source, offset: i32, y: i32) -> vec3i {
  return three_bytes(source.first_word, u32(y * source.row_bytes + offset));
}

// a colour as the network takes it
fn normalise(colour: vec3i, source: Source) -> vec3f {
  return (vec3f(select(colour, colour.zyx, source.blue_first)) - 127.5) * 0.0078125;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let width = p.width;
  let height = p.height;
  let x = i32(gid.x);
  let top = i32(gid.y) * ROWS;
  let n = i32(gid.z);
  if (x >= width) {
    return;
  }
  let image = p.first_image + n;
  let new_width = image_params[image].new_width;
  let new_height = select(0, image_params[image].new_height, x < new_width);
  let padding = image_params[image].padding;
  let first_entry = image_params[image].first_entry;
  let channels = image_params[image].channels;
  let source = Source(u32(image_params[image].first_word), image_params[image].row_bytes, has(image_params[image].flags, BLUE_FIRST));
  let column = resize_table[first_entry + min(x, new_width - 1)];
  let left = column.first * channels;
  let right = column.second * channels;
  let end = min(top + ROWS, height);
  let resized = image_params[image].width != new_width || image_params[image].height != image_params[image].new_height;
  // two loops, of which one has no rows: of a branch software rasterisers run both sides
  for (var y = select(top, end, resized); y < end; y++) {
    var value = vec3f(padding);
    if (y < new_height) {
      value = normalise(pixel(source, left, y), source);
    }
    output[(n * height + y) * width + x] = Out(vec4f(value, 0.0));
  }
  for (var y = select(end, top, resized); y < end; y++) {
    var value = vec3f(padding);
    if (y < new_height) {
      let row = resize_table[first_entry + new_width + y];
      let above = pixel(source, left, row.first) * column.first_weight
        + pixel(source, right, row.first) * column.second_weight;
      let below = pixel(source, left, row.second) * column.first_weight
        + pixel(source, right, row.second) * column.second_weight;
      let colour = (((row.first_weight * (above >> vec3u(4u))) >> vec3u(16u))
        + ((row.second_weight * (below >> vec3u(4u))) >> vec3u(16u)) + 2) >> vec3u(2u);
      value = normalise(colour, source);
    }
    output[(n * height + y) * width + x] = Out(vec4f(value, 0.0));
  }
}
