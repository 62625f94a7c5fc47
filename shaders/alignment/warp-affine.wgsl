// RGB(A) or BGR(A) bytes → square crops, each by an affine map of its own, as OpenCV's warpAffine does on uint8 with
// INTER_LINEAR and a black border: positions in 1/32 pixel, weights in 1/32768, integers throughout.
// One invocation writes one pixel, as R | G << 8 | B << 16 | 255 << 24.
struct Params {
  // the image's size in pixels, its bytes a pixel and a row
  width: i32,
  height: i32,
  channels: i32,
  row_bytes: i32,
  // 1 where a pixel's bytes are blue, green, red
  blue_first: i32,
  // side of a crop
  size: i32,
  // the rows that are bound
  first_row: i32,
  rows: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
// a crop's part: for each of its columns the source position's share (x, y), for each of its rows likewise, in 1/1024
@group(0) @binding(2) var<storage, read> steps: array<vec2i>;
@group(0) @binding(3) var<storage, read_write> crops: array<u32>;

override TILE: u32 = 8;
#include "detection/bytes.wgsl"

// OpenCV's AB_BITS and INTER_BITS
const POSITION_BITS = 10u;
const FRACTION_BITS = 5u;

fn pixel(x: i32, y: i32) -> vec3i {
  if (x < 0 || y < 0 || x >= p.width || y >= p.height) {
    return vec3i();
  }
  let colour = three_bytes(0u, u32((y - p.first_row) * p.row_bytes + x * p.channels));
  return select(colour, colour.zyx, p.blue_first != 0);
}

@compute @workgroup_size(TILE, TILE)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let x = i32(gid.x);
  let y = i32(gid.y);
  let n = i32(gid.z);
  if (x >= p.size || y >= p.size) {
    return;
  }
  let table = n * 2 * p.size;
  let position = steps[table + x] + steps[table + p.size + y];
  let fine = position >> vec2u(POSITION_BITS - FRACTION_BITS);
  let corner = fine >> vec2u(FRACTION_BITS);
  // strips overlap by a row: one of them has both
  let ys = clamp(vec2i(corner.y, corner.y + 1), vec2i(), vec2i(p.height - 1)) - p.first_row;
  if (ys.x < 0 || ys.y >= p.rows) {
    return;
  }
  let b = fine & vec2i(31);
  let a = 32 - b;
  // products of two weights in 1/32, and 1/32768 in all: exact, as OpenCV's table of them is
  let sum = pixel(corner.x, corner.y) * (a.x * a.y * 32) + pixel(corner.x + 1, corner.y) * (b.x * a.y * 32)
    + pixel(corner.x, corner.y + 1) * (a.x * b.y * 32) + pixel(corner.x + 1, corner.y + 1) * (b.x * b.y * 32);
  let colour = vec3u((sum + 16384) >> vec3u(15u));
  crops[(n * p.size + y) * p.size + x] = colour.x | (colour.y << 8u) | (colour.z << 16u) | 0xff000000u;
}
