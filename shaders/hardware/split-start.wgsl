// The start of main of the shaders that include split.wgsl.
  let worker = i32(index) % WORKERS;
  // ways beyond the last have nothing to do
  let way = i32(index) / WORKERS;
  let lane = worker % LANES;
  let n = i32(group.z);
  let slice = i32(group.y) * SLICES;
  // beyond the last channels the last ones are computed again, and not stored
  let block = min(slice + worker / LANES, (OUT_BLOCKS - 1) / BLOCKS) * BLOCKS;
  #for u < SUMS
  var sum{u} = vec4f();
  #end
