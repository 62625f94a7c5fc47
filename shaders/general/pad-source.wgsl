// Where an element of a padded axis comes from.
override MODE: i32 = 0;
const CONSTANT = 0;
const REFLECT = 1;
const EDGE = 2;
const WRAP = 3;

// the element of an axis of this size that stands at a place from its first one on; -1 where the constant does
fn source_of(place: i32, size: i32) -> i32 {
  if (MODE == EDGE) {
    return clamp(place, 0, size - 1);
  }
  if (MODE == WRAP) {
    return (place % size + size) % size;
  }
  if (MODE == REFLECT) {
    // there and back, the ends once
    let period = max(2 * (size - 1), 1);
    let step = (place % period + period) % period;
    return min(step, period - step);
  }
  return select(-1, place, place >= 0 && place < size);
}
