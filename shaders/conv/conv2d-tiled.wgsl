// Dense 2-D convolution on NC4HW4 as a tiled matrix product, for GPUs that have caches of their own for a workgroup.
// A workgroup stages CHUNK taps (4 input channels at one place of the kernel) of COLUMNS × PIXELS pixels and of OCTETS × 8
// output channels in workgroup memory; one invocation computes PIXELS pixels of 8 channels. Same weights as conv2d-direct.wgsl.
#include "conv/bindings.wgsl"
#include "conv/weights.wgsl"
const PIXELS = 4;
const CHUNK = 4;

// invocations along pixels and along channels
override COLUMNS: i32 = 16;
override OCTETS: i32 = 4;
override TILE: i32 = 64;
override WORKGROUP: u32 = 64;

var<workgroup> staged_pixels: array<vec4f, CHUNK * TILE>;
var<workgroup> staged_weights: array<vec4f, CHUNK * OCTETS * 8>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let p = params;
  let n = i32(group.z);
  let first_pixel = i32(group.x) * TILE;
  let first_octet = i32(group.y) * OCTETS;
  let column = i32(index) % COLUMNS;
  let octet = i32(index) / COLUMNS;
  let window = p.kernel_h * p.kernel_w;
  let taps = p.in_blocks * window;

  #for i < PIXELS
  var lo{i} = vec4f();
  var hi{i} = vec4f();
  #end
  for (var start = 0; start < taps; start += CHUNK) {
    for (var i = i32(index); i < CHUNK * TILE; i += i32(WORKGROUP)) {
      let tap = start + i / TILE;
      let pixel = first_pixel + i % TILE;
      let block = tap / window;
      let place = tap - block * window;
      let ky = place / p.kernel_w;
      let kx = place - ky * p.kernel_w;
      let y = pixel / p.out_w;
      let iy = y * p.stride_h - p.pad_top + ky * p.dilation_h;
      let ix = (pixel - y * p.out_w) * p.stride_w - p.pad_left + kx * p.dilation_w;
      let inside = tap < taps && y < p.out_h && iy >= 0 && iy < p.in_h;
      staged_pixels[i] = load(((n * p.in_blocks + block) * p.in_h + iy) * p.in_w, inside, ix, p.in_w);
    }
    for (var i = i32(index); i < CHUNK * OCTETS * 8; i += i32(WORKGROUP)) {
      let o = i / (CHUNK * 8);
      // beyond the last tap lie other weights, or none, which reads some that are there: their pixels are zero
      let at = n * p.weights_step + ((first_octet + o) * taps + start) * 8 + i - o * CHUNK * 8;
      staged_weights[i] = weights[at];
    }
    workgroupBarrier();
    for (var t = 0; t < CHUNK; t++) {
      let w = (octet * CHUNK + t) * 8;
      let m_lo = mat4x4f(staged_weights[w], staged_weights[w + 1], staged_weights[w + 2], staged_weights[w + 3]);
      let m_hi = mat4x4f(staged_weights[w + 4], staged_weights[w + 5], staged_weights[w + 6], staged_weights[w + 7]);
      #for i < PIXELS
      let v{i} = staged_pixels[t * TILE + column + {i} * COLUMNS];
      lo{i} += m_lo * v{i};
      hi{i} += m_hi * v{i};
      #end
    }
    workgroupBarrier();
  }
  for (var half = 0; half < 2; half++) {
    let block = (first_octet + octet) * 2 + half;
    let b = bias[block];
    #for i < PIXELS
    {
      let pixel = first_pixel + column + {i} * COLUMNS;
      let y = pixel / p.out_w;
      store(row_of(n, block, y), pixel - y * p.out_w, select(lo{i}, hi{i}, half == 1) + b);
    }
    #end
  }
}
