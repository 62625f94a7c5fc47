import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { packedBytes } from '../nc4hw4.ts';
import { IMAGE_PARAMS_BYTES } from './image-params.ts';

const WORKGROUP = 64;
/** Rows that one invocation writes, as in the shader. */
const ROWS = 8;
/** OpenCV's fixed point for linear resize weights: 11 bits. */
const ONE = 2048;

/** What the network's input holds of an image. */
export interface Letterbox {
  readonly newWidth: number;
  readonly newHeight: number;
  /** Resized pixels per original pixel, along x and y. */
  readonly scale: readonly [x: number, y: number];
}

/**
 * How a keep-ratio resize chooses its size: `insightface` fills the input along one side, truncates the other and
 * knows one scale; `mmdet` rounds both and has a scale for each.
 */
export type Fit = 'insightface' | 'mmdet';

/** The largest size of the image's proportions that the network's input holds. */
export function fitLetterbox(
  width: number,
  height: number,
  inputWidth: number,
  inputHeight: number,
  fit: Fit = 'insightface',
): Letterbox {
  if (fit === 'mmdet') {
    const scale = Math.min(inputWidth / width, inputHeight / height);
    const round = (side: number) => Math.max(1, Math.trunc(side * scale + 0.5));
    const [newWidth, newHeight] = [round(width), round(height)];
    return { newWidth, newHeight, scale: [newWidth / width, newHeight / height] };
  }
  const imageRatio = height / width;
  const inputRatio = inputHeight / inputWidth;
  const tall = imageRatio > inputRatio;
  // a side thinner than half a pixel would vanish; the reference fails there
  const newHeight = tall ? inputHeight : Math.max(1, Math.trunc(inputWidth * imageRatio));
  const newWidth = tall ? Math.max(1, Math.trunc(inputHeight / imageRatio)) : inputWidth;
  const scale = newHeight / height;
  return { newWidth, newHeight, scale: [scale, scale] };
}

/** The nearest integer, half to even, as C's rint. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + Math.abs(floor % 2) : Math.round(x);
}

function writeLinear(
  table: Int32Array,
  first: number,
  source: number,
  target: number,
  axis: 'horizontal' | 'vertical',
) {
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
    table[at] = Math.min(Math.max(index, 0), source - 1);
    table[at + 1] = Math.min(Math.max(index + 1, 0), source - 1);
    table[at + 2] = roundHalfEven(Math.fround(Math.fround(1 - fraction) * ONE));
    table[at + 3] = roundHalfEven(Math.fround(fraction * ONE));
  }
}

function writeNearest(table: Int32Array, first: number, source: number, target: number) {
  const scale = 1 / (target / source);
  for (let i = 0; i < target; i++) {
    const index = Math.min(Math.floor(i * scale), source - 1);
    table.set([index, index, ONE, 0], (first + i) * 4);
  }
}

/** How values between pixels are made: OpenCV's `INTER_LINEAR` or `INTER_NEAREST`. */
export type Interpolation = 'linear' | 'nearest';

/**
 * OpenCV 4's resize coefficients for uint8, columns then rows: two source positions and their weights in 1/2048. They
 * need float64, which WGSL lacks. Source: `resize.cpp`, `cv::hal::resize`, `resizeGeneric_` and `resizeNN`.
 */
export function resizeTable(
  width: number,
  height: number,
  newWidth: number,
  newHeight: number,
  interpolation: Interpolation = 'linear',
): Int32Array<ArrayBuffer> {
  const table = new Int32Array((newWidth + newHeight) * 4);
  if (interpolation === 'nearest') {
    writeNearest(table, 0, width, newWidth);
    writeNearest(table, newWidth, height, newHeight);
  } else {
    writeLinear(table, 0, width, newWidth, 'horizontal');
    writeLinear(table, newWidth, height, newHeight, 'vertical');
  }
  return table;
}

export interface LetterboxSpec {
  readonly batch: number;
  /** Size of the network's input, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Image parameters of other input sizes before this one's. */
  readonly firstImage: number;
}

/** Images resized into the network's input. Bindings: pixels (RGB or RGBA bytes), resize table, image parameters, output (NC4HW4, 3 channels). */
export function letterbox(spec: LetterboxSpec): Dispatch {
  return dispatch('letterbox', {
    overrides: { WORKGROUP },
    params: packParams([spec.width, spec.height, spec.firstImage]),
    bindingBytes: [
      4,
      16,
      (spec.firstImage + spec.batch) * IMAGE_PARAMS_BYTES,
      packedBytes(spec.batch, 3, spec.height, spec.width),
    ],
    workgroups: [Math.ceil(spec.width / WORKGROUP), Math.ceil(spec.height / ROWS), spec.batch],
  });
}
