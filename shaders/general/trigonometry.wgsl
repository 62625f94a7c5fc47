// Sine, and by a quarter of a turn more the cosine; sin() is good to 11 bits only. p.nan is what it is called.

fn wave(v: Value, quarters: i32) -> Value {
  let turns = round(v * 0.63661977);
  // a quarter of a turn in three parts, the first of few bits
  let r = ((v - turns * 1.5703125) - turns * 4.8375129e-4) - turns * 7.5497899e-8;
  let s = r * r;
  let sine = r + r * s * (-0.16666655 + s * (8.3321609e-3 - s * 1.9515296e-4));
  let cosine = 1.0 - 0.5 * s + s * s * (4.1666646e-2 + s * (-1.3887316e-3 + s * 2.4433157e-5));
  let quarter = vec4i(turns) + quarters;
  let turned = select(sine, cosine, (quarter & vec4i(1)) == vec4i(1));
  let signed = select(turned, -turned, (quarter & vec4i(2)) == vec4i(2));
  return select(signed, Value(p.nan), abs(v) == Value(p.infinity));
}
