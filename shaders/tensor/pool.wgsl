// Max or average pooling on NC4HW4; one invocation computes one vec4 over channels.
struct Params {
  planes: i32,
  in_h: i32,
  in_w: i32,
  out_h: i32,
  out_w: i32,
  kernel_h: i32,
  kernel_w: i32,
  stride_h: i32,
  stride_w: i32,
  pad_top: i32,
  pad_left: i32,
  pad_bottom: i32,
  pad_right: i32,
  dilation_h: i32,
  dilation_w: i32,
  count_include_pad: i32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

// of a workgroup: all, and those that have a pixel
override INVOCATIONS: u32;
override WORKGROUP: u32;
override AVERAGE: bool = false;

// steps of this length from 0 on that it takes to come to a distance, or past it
fn steps(distance: i32, length: i32) -> i32 {
  return select(0, (distance - 1) / length + 1, distance > 0);
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let pixel = i32(group.x * WORKGROUP + index);
  let y = pixel / p.out_w;
  let x = pixel % p.out_w;
  let plane = i32(group.y);
  if (index >= WORKGROUP || y >= p.out_h) {
    return;
  }
  var sum = vec4f();
  var most = vec4f(-3.4028234e38);
  let top = y * p.stride_h - p.pad_top;
  let left = x * p.stride_w - p.pad_left;
  // the window's part inside the image: a file's kernel may be far larger
  let rows = vec2i(steps(-top, p.dilation_h), min(steps(p.in_h - top, p.dilation_h), p.kernel_h));
  let columns = vec2i(steps(-left, p.dilation_w), min(steps(p.in_w - left, p.dilation_w), p.kernel_w));
  for (var ky = rows.x; ky < rows.y; ky++) {
    let row = (plane * p.in_h + top + ky * p.dilation_h) * p.in_w + left;
    for (var kx = columns.x; kx < columns.y; kx++) {
      let v = vec4f(input[row + kx * p.dilation_w]);
      sum += v;
      most = max(most, v);
    }
  }
  if (AVERAGE) {
    let inside = f32(max(rows.y - rows.x, 0)) * f32(max(columns.y - columns.x, 0));
    let padded_rows = min(steps(p.in_h + p.pad_bottom - top, p.dilation_h), p.kernel_h);
    let padded_columns = min(steps(p.in_w + p.pad_right - left, p.dilation_w), p.kernel_w);
    let divisor = select(inside, f32(padded_rows) * f32(padded_columns), p.count_include_pad != 0);
    most = sum / max(divisor, 1.0);
  }
  output[(plane * p.out_h + y) * p.out_w + x] = Out(most);
}
