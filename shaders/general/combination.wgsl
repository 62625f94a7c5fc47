// The operation of combine.wgsl and combine-strided.wgsl on a Value: an alias of f32 or vec4f. Truth is 1, what is not 0 is true.

// as COMBINATIONS of kernels/general/combine.ts has them
override OPERATION: u32 = 0;
// of a mean, how many values it is of
override VALUES: f32 = 1.0;

#include "general/power.wgsl"

// C's fmod: what is left has the sign of x; a quotient that was rounded up or down is one off
fn remainder(x: Value, y: Value) -> Value {
  let size = abs(y);
  var rest = abs(x) - trunc(abs(x) / size) * size;
  rest = select(rest, rest + size, rest < Value(0.0));
  rest = select(rest, rest - size, rest >= size);
  let signed = select(rest, -rest, x < Value(0.0));
  // the quotient by infinity is 0, which times infinity is no number
  return select(signed, x, abs(x) < size);
}

fn apply(x: Value, y: Value) -> Value {
  switch (OPERATION) {
    case 0: {
      return power(x, y);
    }
    case 1: {
      return remainder(x, y);
    }
    // where one is no number, neither is the result
    case 2: {
      return select(select(y, x, x < y), x, !(x == x));
    }
    case 3: {
      return select(select(y, x, x > y), x, !(x == x));
    }
    case 4: {
      return x + y;
    }
    case 5: {
      return (x + y) / VALUES;
    }
    case 6: {
      return select(Value(0.0), Value(1.0), x == y);
    }
    case 7: {
      return select(Value(0.0), Value(1.0), x < y);
    }
    case 8: {
      return select(Value(0.0), Value(1.0), x <= y);
    }
    case 9: {
      return select(Value(0.0), Value(1.0), x > y);
    }
    case 10: {
      return select(Value(0.0), Value(1.0), x >= y);
    }
    case 11: {
      return select(Value(0.0), Value(1.0), (x != Value(0.0)) & (y != Value(0.0)));
    }
    case 12: {
      return select(Value(0.0), Value(1.0), (x != Value(0.0)) | (y != Value(0.0)));
    }
    default: {
      return select(Value(0.0), Value(1.0), (x != Value(0.0)) != (y != Value(0.0)));
    }
  }
}
