import { shaders } from '../shaders.gen.ts';
import { FRAME_BYTES } from './frame.ts';
import { type Dispatch, packedBytes, packParams } from './kernel.ts';

const WORKGROUP = 64;
/** OpenCV's fixed point for linear resize weights: 11 bits. */
const ONE = 2048;

/** Where an image lands on the canvas. */
export interface Letterbox {
  readonly newWidth: number;
  readonly newHeight: number;
  /** Resized pixels per original pixel. */
  readonly scale: number;
}

/** insightface's keep-ratio size: the image fills the canvas along one side, the other is truncated. */
export function fitLetterbox(width: number, height: number, canvasWidth: number, canvasHeight: number): Letterbox {
  const imageRatio = height / width;
  const canvasRatio = canvasHeight / canvasWidth;
  const tall = imageRatio > canvasRatio;
  // a side thinner than half a pixel would vanish; the reference fails there
  const newHeight = tall ? canvasHeight : Math.max(1, Math.trunc(canvasWidth * imageRatio));
  const newWidth = tall ? Math.max(1, Math.trunc(canvasHeight / imageRatio)) : canvasWidth;
  return { newWidth, newHeight, scale: newHeight / height };
}

/** Half to even, as C's rint. Arguments are not negative. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function axisTaps(taps: Int32Array, first: number, source: number, target: number, axis: 'horizontal' | 'vertical') {
  const scale = 1 / (target / source);
  for (let i = 0; i < target; i++) {
    const position = Math.fround((i + 0.5) * scale - 0.5);
    let index = Math.floor(position);
    let fraction = Math.fround(position - index);
    // OpenCV drops the weight at the horizontal edges but only clamps the index at the vertical ones
    if (axis === 'horizontal' && (index < 0 || index >= source - 1)) {
      index = index < 0 ? 0 : source - 1;
      fraction = 0;
    }
    const at = (first + i) * 4;
    taps[at] = Math.min(Math.max(index, 0), source - 1);
    taps[at + 1] = Math.min(Math.max(index + 1, 0), source - 1);
    taps[at + 2] = roundHalfEven(Math.fround(Math.fround(1 - fraction) * ONE));
    taps[at + 3] = roundHalfEven(Math.fround(fraction * ONE));
  }
}

/**
 * OpenCV 4's INTER_LINEAR coefficients for uint8, columns then rows: two source positions and their weights in
 * 1/2048. They need float64, which WGSL lacks. Source: `resize.cpp`, `cv::hal::resize` and `resizeGeneric_`.
 */
export function letterboxTaps(
  width: number,
  height: number,
  newWidth: number,
  newHeight: number,
): Int32Array<ArrayBuffer> {
  const taps = new Int32Array((newWidth + newHeight) * 4);
  axisTaps(taps, 0, width, newWidth, 'horizontal');
  axisTaps(taps, newWidth, height, newHeight, 'vertical');
  return taps;
}

export interface LetterboxSpec {
  readonly batch: number;
  /** Of the canvas, the network's input. */
  readonly width: number;
  readonly height: number;
}

/** Bindings: pixels (RGB or RGBA bytes), taps, frames, output (NC4HW4, 3 channels). */
export function letterbox(spec: LetterboxSpec): Dispatch {
  return {
    kernel: 'letterbox',
    source: shaders.letterbox,
    constants: { WORKGROUP },
    params: packParams([spec.width, spec.height]),
    bindingBytes: [4, 16, spec.batch * FRAME_BYTES, packedBytes(spec.batch, 3, spec.height, spec.width)],
    workgroups: [Math.ceil((spec.width * spec.height) / WORKGROUP), spec.batch, 1],
  };
}
