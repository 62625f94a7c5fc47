// x to the y-th of a Value: an alias of f32 or vec4f; as C has it, which pow() leaves open below zero.
fn power(x: Value, y: Value) -> Value {
  let half = trunc(y * 0.5);
  let whole = y == trunc(y);
  let odd = whole & (y != half * 2.0);
  let raised = pow(abs(x), y);
  let signed = select(raised, -raised, (x < Value(0.0)) & odd);
  var v = select(signed, x * 0.0 / (x * 0.0), (x < Value(0.0)) & (abs(x) <= Value(3.4028234e38)) & !whole);
  // the powers that networks have, without the rounding of a logarithm
  v = select(v, x * x, y == Value(2.0));
  v = select(v, x * x * x, y == Value(3.0));
  v = select(v, x, (y == Value(1.0)) | !(x == x));
  v = select(v, y, !(y == y));
  return select(v, Value(1.0), (y == Value(0.0)) | (x == Value(1.0)));
}
