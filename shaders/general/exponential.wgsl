// exp and log of a Value, an alias of f32 or vec4f, with the results of C where exp() and log() promise none.
// p.infinity and p.nan are what they are called.

fn exponential(v: Value) -> Value {
  let most = Value(88.72283);
  return select(exp(clamp(v, Value(-104.0), most)), Value(p.infinity), v > most);
}

fn logarithm(v: Value) -> Value {
  let finite = log(clamp(v, Value(1.1754944e-38), Value(3.4028234e38)));
  let below = select(finite, Value(p.nan), v < Value(0.0));
  return select(select(below, Value(-p.infinity), v == Value(0.0)), v, v == Value(p.infinity));
}
