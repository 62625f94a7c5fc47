// The error function, to two units in the last place: a polynomial near zero, the exponential of one beyond.

fn error_function(v: Value) -> Value {
  let s = v * v;
  let near = v + v * (0.128379166 + s * (-0.376125336 + s * (0.112819925 + s * (-0.0267681349 + s * (4.99119423e-3 - s * 5.96761703e-4)))));
  // beyond, float32 has no other result than 1
  let t = limit(abs(v), Value(0.0), Value(4.0));
  let even = t * t;
  let high = (3.83197126e-4 - t * 1.7285347e-5) * even + (0.0242546219 - t * 3.88396438e-3);
  let far = 1.0 - exp(-t + t * (-0.128717512 + t * (-0.634846687 + t * (-0.106777877 + t * high))));
  return select(select(far, -far, v < Value(0.0)), near, abs(v) < Value(0.92773438));
}
