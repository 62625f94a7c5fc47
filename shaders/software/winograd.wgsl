// What the two transforms of Winograd's convolution share.
override WORKGROUP: u32 = 8;
// a window's side in pixels, and its last place
const SIDE = 6;
const LAST = 5;
const ROOT = 1.4142135623730951;
