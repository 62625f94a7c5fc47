// Activations, as `activationParams` gives their numbers, of a Value: an alias of f32 or vec4f.

// between bounds; what is no number stays none, which clamp() does not promise
fn limit(v: Value, low: Value, high: Value) -> Value {
  let raised = select(v, low, v < low);
  return select(raised, high, raised > high);
}

// every activation but the logistic function: a slope below zero, then bounds
fn bound(v: Value, slope: f32, low: f32, high: f32) -> Value {
  return limit(select(v * slope, v, v >= Value(0.0)), Value(low), Value(high));
}

// logistic function, in a range where exp() is finite everywhere; SwiftShader's makes a number of what is none,
// for which != is false, too
fn sigmoid(v: Value) -> Value {
  return select(1.0 / (1.0 + exp(-limit(v, Value(-80.0), Value(80.0)))), v, !(v == v));
}
