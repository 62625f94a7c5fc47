// Bindings of the shaders that go along one axis of a row-major tensor, seen as outer × axis × inner, and make as much of it or a number a slice.
struct Params {
  // outer × inner
  count: i32,
  axis: i32,
  inner: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
