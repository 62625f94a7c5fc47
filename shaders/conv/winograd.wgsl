// What the transforms of Winograd's convolution share.
// a window's side in pixels, and its last place
const SIDE = 6;
const LAST = 5;
const ROOT = 1.4142135623730951;
