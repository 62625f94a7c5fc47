  // How main begins in the kernels that slide down rows: the place of the invocation's tile, its filter and its bias.
  // a copy: software rasterisers read a uniform anew each time
  let p = params;
  let tiles_x = (p.out_w + PIXELS - 1) / PIXELS;
  // blocks follow one another without a gap, so that no more than the last subgroup idles
  let tiles = tiles_x * ((p.out_h + ROWS - 1) / ROWS);
  let block = i32(gid.x) / tiles;
  let tile = i32(gid.x) - block * tiles;
  if (block >= p.out_blocks) {
    return;
  }
  let tile_y = tile / tiles_x;
  let first = tile_y * ROWS;
  let x = (tile - tile_y * tiles_x) * PIXELS;
  let n = i32(gid.y);
  #for k < TAPS
  var w{k} = vec4f();
  #end
  // 9 taps; loops with bounds that only the run knows compile faster than unrolled loads
  for (var k = 0; k < p.kernel_h * p.kernel_w; k++) {
    #for j < LAST
    w{j} = w{j+1};
    #end
    w8 = weights[block * TAPS + k];
  }
  let b = bias[block];
