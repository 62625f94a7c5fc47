// One dimension of the transforms of Winograd's convolution, see winograd-input.wgsl.
#include "conv/winograd.wgsl"

struct Six {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
  v4: vec4f,
  v5: vec4f,
}

// Bᵀ of the points 0, ±√½, ±√2 and infinity: a third of the rounding error that 0, ±1, ±2 and infinity have
fn to_positions(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f) -> Six {
  let even1 = e - 2.0 * c;
  let odd1 = ROOT * (0.5 * d - b);
  let even2 = e - 0.5 * c;
  let odd2 = ROOT * (d - 0.5 * b);
  return Six(a - 2.5 * c + e, even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, b - 2.5 * d + f);
}

struct Four {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}

// Aᵀ of the points 0, ±√½, ±√2 and infinity
fn to_pixels(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f) -> Four {
  let even1 = b + c;
  let odd1 = ROOT * 0.5 * (b - c);
  let even2 = d + e;
  let odd2 = ROOT * (d - e);
  return Four(a + even1 + even2, odd1 + odd2, 0.5 * even1 + 2.0 * even2, 0.5 * odd1 + 2.0 * odd2 + f);
}
