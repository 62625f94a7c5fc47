// RGB(A) or BGR(A) bytes → resized as OpenCV does on uint8, pasted top-left on a canvas, normalised to
// (v - 127.5) / 128, as NC4HW4. Integers until the last step.
#include "detection/image-params.wgsl"
struct Params {
  width: i32,
  height: i32,
  // frames of other canvases before this one's
  first_frame: i32,
}

// two inputs and their weights in 1/2048
struct Tap {
  first: i32,
  second: i32,
  first_weight: i32,
  second_weight: i32,
}

// how images are stored, half floats where asked; what is computed is float32
alias Out = vec4f;
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> taps: array<Tap>;
@group(0) @binding(3) var<storage, read> frames: array<Frame>;
@group(0) @binding(4) var<storage, read_write> output: array<Out>;

override WORKGROUP: u32 = 64;
// rows that one invocation writes, below each other: what they share is read once
const ROWS = 8;

// where pixels lie; only what is needed of a Frame, because every field costs a load
struct Source {
  first_word: u32,
  row_bytes: i32,
  blue_first: bool,
}

// of the pixel whose bytes begin at this offset in a row
fn pixel(source: Source, offset: i32, y: i32) -> vec3i {
  let first = y * source.row_bytes + offset;
  let word = source.first_word + u32(first) / 4u;
  let shift = u32(first) % 4u * 8u;
  // the three bytes may straddle two words
  var bytes = pixels[word] >> shift;
  if (shift > 8u) {
    bytes |= pixels[word + 1u] << (32u - shift);
  }
  return vec3i(vec3u(bytes, bytes >> 8u, bytes >> 16u) & vec3u(255u));
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
  let f = p.first_frame + n;
  let new_width = frames[f].new_width;
  let new_height = select(0, frames[f].new_height, x < new_width);
  let padding = frames[f].padding;
  let first_tap = frames[f].first_tap;
  let channels = frames[f].channels;
  let source = Source(u32(frames[f].first_word), frames[f].row_bytes, has(frames[f].flags, BLUE_FIRST));
  let column = taps[first_tap + min(x, new_width - 1)];
  let left = column.first * channels;
  let right = column.second * channels;
  for (var y = top; y < min(top + ROWS, height); y++) {
    var value = vec3f(padding);
    if (y < new_height) {
      let row = taps[first_tap + new_width + y];
      let above = pixel(source, left, row.first) * column.first_weight
        + pixel(source, right, row.first) * column.second_weight;
      let below = pixel(source, left, row.second) * column.first_weight
        + pixel(source, right, row.second) * column.second_weight;
      let colour = (((row.first_weight * (above >> vec3u(4u))) >> vec3u(16u))
        + ((row.second_weight * (below >> vec3u(4u))) >> vec3u(16u)) + 2) >> vec3u(2u);
      value = (vec3f(select(colour, colour.zyx, source.blue_first)) - 127.5) * 0.0078125;
    }
    output[(n * height + y) * width + x] = Out(vec4f(value, 0.0));
  }
}
