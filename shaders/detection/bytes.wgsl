// the three bytes at an offset from the beginning of a word of pixels
fn three_bytes(first_word: u32, offset: u32) -> vec3i {
  let word = first_word + offset / 4u;
  let shift = offset % 4u * 8u;
  // they may straddle two words
  var bytes = pixels[word] >> shift;
  if (shift > 8u) {
    bytes |= pixels[word + 1u] << (32u - shift);
  }
  return vec3i(vec3u(bytes, bytes >> 8u, bytes >> 16u) & vec3u(255u));
}
