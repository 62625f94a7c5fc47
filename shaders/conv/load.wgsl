// one input pixel; zero outside the image
fn load(row: i32, in_row: bool, x: i32, width: i32) -> vec4f {
  return select(vec4f(), vec4f(input[row + x]), in_row && x >= 0 && x < width);
}
