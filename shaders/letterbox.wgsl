// RGB(A) or BGR(A) bytes → resized as OpenCV does on uint8, pasted top-left on a canvas, normalised to
// (v - 127.5) / 128, as NC4HW4. One invocation writes one pixel; integers until the last step.
// requires frame.wgsl
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

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> taps: array<Tap>;
@group(0) @binding(3) var<storage, read> frames: array<Frame>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4f>;

override WORKGROUP: u32 = 64;

fn pixel(frame: Frame, x: i32, y: i32) -> vec3i {
  let first = y * frame.row_bytes + x * frame.channels;
  let word = u32(frame.first_word + first / 4);
  let shift = u32(first % 4) * 8u;
  // the three bytes may straddle two words
  var bytes = pixels[word] >> shift;
  if (shift > 8u) {
    bytes |= pixels[word + 1u] << (32u - shift);
  }
  let colour = vec3i(vec3u(bytes, bytes >> 8u, bytes >> 16u) & vec3u(255u));
  return select(colour, colour.zyx, has(frame, BLUE_FIRST));
}

fn horizontal(frame: Frame, tap: Tap, y: i32) -> vec3i {
  return pixel(frame, tap.first, y) * tap.first_weight + pixel(frame, tap.second, y) * tap.second_weight;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let y = i32(gid.x) / p.width;
  let x = i32(gid.x) % p.width;
  let n = i32(gid.y);
  if (y >= p.height) {
    return;
  }
  let frame = frames[p.first_frame + n];
  var value = vec3f(frame.padding);
  if (x < frame.new_width && y < frame.new_height) {
    let column = taps[frame.first_tap + x];
    let row = taps[frame.first_tap + frame.new_width + y];
    let above = horizontal(frame, column, row.first);
    let below = horizontal(frame, column, row.second);
    let colour = (((row.first_weight * (above >> vec3u(4u))) >> vec3u(16u))
      + ((row.second_weight * (below >> vec3u(4u))) >> vec3u(16u)) + 2) >> vec3u(2u);
    value = (vec3f(colour) - 127.5) * 0.0078125;
  }
  output[(n * p.height + y) * p.width + x] = vec4f(value, 0.0);
}
