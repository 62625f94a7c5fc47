// The operation of binary.wgsl and binary-strided.wgsl on a Value: an alias of f32 or vec4f.

// 0 add, 1 subtract, 2 multiply, 3 divide, 4 prelu
override OPERATION: u32 = 0;

fn apply(x: Value, y: Value) -> Value {
  switch (OPERATION) {
    case 0: {
      return x + y;
    }
    case 1: {
      return x - y;
    }
    case 2: {
      return x * y;
    }
    case 3: {
      return x / y;
    }
    default: {
      return select(x * y, x, x >= Value(0.0));
    }
  }
}
