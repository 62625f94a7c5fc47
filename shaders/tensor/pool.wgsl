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
  var inside = 0;
  var counted = 0;
  for (var ky = 0; ky < p.kernel_h; ky++) {
    let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
    for (var kx = 0; kx < p.kernel_w; kx++) {
      let ix = x * p.stride_w - p.pad_left + kx * p.dilation_w;
      if (iy < p.in_h + p.pad_bottom && ix < p.in_w + p.pad_right) {
        counted++;
      }
      if (iy >= 0 && iy < p.in_h && ix >= 0 && ix < p.in_w) {
        let v = vec4f(input[(plane * p.in_h + iy) * p.in_w + ix]);
        sum += v;
        most = max(most, v);
        inside++;
      }
    }
  }
  if (AVERAGE) {
    let divisor = select(inside, counted, p.count_include_pad != 0);
    most = sum / f32(max(divisor, 1));
  }
  output[(plane * p.out_h + y) * p.out_w + x] = Out(most);
}
