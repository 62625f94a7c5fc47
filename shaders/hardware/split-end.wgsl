// The end of main of the shaders that include split.wgsl: adds the parts of every sum, always in the same order.
  if (SPLIT == 1) {
    if (way == 0) {
      let own = (slice + worker / LANES) * BLOCKS;
      #for p < PIXELS
      #for q < BLOCKS
      finish(n, pixel_of(i32(group.x), lane, {p}), own + {q}, sum{p*BLOCKS+q});
      #end
      #end
    }
    return;
  }
  if (way < SPLIT) {
    #for u < SUMS
    shared_vectors[(way * SUMS + {u}) * WORKERS + worker] = sum{u};
    #end
  }
  workgroupBarrier();
  for (var i = i32(index); i < SUMS * WORKERS; i += i32(INVOCATIONS)) {
    let unit = i / WORKERS;
    let other = i - unit * WORKERS;
    var sum = vec4f();
    for (var k = 0; k < SPLIT; k++) {
      sum += shared_vectors[(k * SUMS + unit) * WORKERS + other];
    }
    let pixel = pixel_of(i32(group.x), other % LANES, unit / BLOCKS);
    finish(n, pixel, (slice + other / LANES) * BLOCKS + unit % BLOCKS, sum);
  }
