// A function of every element of a tensor, NC4HW4 or row-major.
struct Params {
  // vectors
  count: i32,
  // of an image; of a row-major tensor more than any lane
  channels: i32,
  blocks: i32,
  plane_size: i32,
  alpha: f32,
  beta: f32,
  // which WGSL has no constants for
  infinity: f32,
  nan: f32,
}

#include "images.wgsl"
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<In>;
@group(0) @binding(2) var<storage, read_write> output: array<Out>;

// as FUNCTIONS of kernels/general/elementwise.ts has them
override FUNCTION: u32 = 0;

#include "flat-index.wgsl"
alias Value = vec4f;
#include "activation.wgsl"
#include "general/power.wgsl"
#include "general/exponential.wgsl"
#include "general/trigonometry.wgsl"
#include "general/erf.wgsl"

// the number whose logistic function is asked for twice over: 1 + tanh(v), which is 2 where the other is 1
fn hyperbolic_tangent(v: Value) -> Value {
  return 1.0 - 2.0 / (exp(2.0 * limit(v, Value(-16.0), Value(16.0))) + 1.0);
}

fn square_root(v: Value) -> Value {
  let root = select(sqrt(v), v, (v == Value(0.0)) | (v == Value(p.infinity)));
  return select(root, Value(p.nan), v < Value(0.0));
}

// v · tanh(softplus(v)), by what e^v is
fn mish(v: Value) -> Value {
  let e = exp(limit(v, Value(-104.0), Value(20.0)));
  let n = e * (e + 2.0);
  return v * select(n / (n + 2.0), Value(1.0), v > Value(20.0));
}

fn function_of(v: Value) -> Value {
  switch (FUNCTION) {
    case 0: {
      return exponential(v);
    }
    case 1: {
      return logarithm(v);
    }
    case 2: {
      return square_root(v);
    }
    case 3: {
      return abs(v);
    }
    case 4: {
      return -v;
    }
    case 5: {
      return 1.0 / v;
    }
    case 6: {
      return floor(v);
    }
    case 7: {
      return ceil(v);
    }
    case 8: {
      return round(v);
    }
    case 9: {
      return sign(v);
    }
    case 10: {
      return error_function(v);
    }
    case 11: {
      return 0.5 * v * (1.0 + error_function(v * 0.70710678));
    }
    case 12: {
      return 0.5 * v * (1.0 + hyperbolic_tangent(v * (0.79788456 + 0.035677408 * v * v)));
    }
    case 13: {
      return v * limit(v / 6.0 + 0.5, Value(0.0), Value(1.0));
    }
    case 14: {
      return limit(v * p.alpha + p.beta, Value(0.0), Value(1.0));
    }
    // of beta times: elu, and selu
    case 15: {
      return p.beta * select(p.alpha * (exponential(v) - 1.0), v, v > Value(0.0));
    }
    case 16: {
      return select(v, Value(0.0), v < Value(0.0)) + log(1.0 + exponential(-abs(v)));
    }
    case 17: {
      return v / (1.0 + abs(v));
    }
    case 18: {
      return mish(v);
    }
    case 19: {
      return wave(v, 0);
    }
    case 20: {
      return wave(v, 1);
    }
    case 21: {
      return select(Value(0.0), Value(1.0), v == Value(0.0));
    }
    default: {
      return power(v, Value(p.alpha));
    }
  }
}

fn compute(i: i32) {
  let v = vec4f(input[i]);
  let of_number = function_of(v);
  // a power of 0 is 1 of what is no number, too
  let result = select(of_number, v, !(v == v) & vec4<bool>(FUNCTION < 21));
  let block = i / p.plane_size % p.blocks;
  // infinity in the lanes beyond the last channel would poison later sums
  output[i] = Out(select(vec4f(), result, vec4i(0, 1, 2, 3) < vec4i(p.channels - block * 4)));
}
