// The second of two launches of an instance or group normalisation: every workgroup joins the parts of its group, in the same order, then
// scales and shifts each channel of its own part. affine holds every channel's scale, then every channel's shift.
#include "tensor/group-norm-common.wgsl"
@group(0) @binding(2) var<storage, read> affine: array<f32>;
// where its own begin
override FIRST_AFFINE: i32 = 0;
@group(0) @binding(3) var<storage, read> parts: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> output: array<Out>;

alias Value = f32;
#include "activation.wgsl"

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  #include "tensor/group-norm-start.wgsl"
  let center = parts[first_part].z;
  var sums = vec2f();
  for (var i = thread; i < row_parts; i += WORKGROUP) {
    sums += parts[first_part + i].xy;
  }
  sums = sum_of_workgroup(thread, sums);
  // how far the mean is from the center
  let rest = sums.x / f32(count);
  // squares that float32 does not hold are of a spread beside which all is nothing, as onnxruntime has it
  let held = sums.y < 3e38;
  let scale = select(0.0, inverseSqrt(max(sums.y - sums.x * rest, 0.0) / f32(count) + p.epsilon), held);

  for (var channel = first + thread % LANES; channel < first + size; channel += LANES) {
    let base = first_of(n, channel);
    let gain = scale * affine[FIRST_AFFINE + channel];
    let shift = affine[FIRST_AFFINE + p.channels + channel];
    for (var i = begin + thread / LANES; i < end; i += WORKGROUP / LANES) {
      // subtract first: two products far from zero would cancel
      let v = (f32(input[base + i * p.step]) - center - rest) * gain + shift;
      output[base + i * p.step] = Out(bound(v, p.slope, p.low, p.high));
    }
  }
  // the lanes beyond the last channel belong to no group
  if (first + size == p.channels) {
    for (var channel = p.channels; channel % p.step != 0; channel++) {
      let base = first_of(n, channel);
      for (var i = begin + thread; i < end; i += WORKGROUP) {
        output[base + i * p.step] = Out(0.0);
      }
    }
  }
}
