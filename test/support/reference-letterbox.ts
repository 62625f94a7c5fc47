import { createRequire } from 'node:module';
import type { Pixels } from '../../src/common/image.ts';

export interface Letterbox {
  /** Height × width × 3 bytes, the picture at the top left, zeros elsewhere. */
  readonly canvas: Uint8Array;
  /** 1×3×height×width, `(byte - 127.5) / 128`. */
  readonly blob: Float32Array;
  /** Pixels of the canvas per pixel of the picture. */
  readonly detScale: number;
  readonly newWidth: number;
  readonly newHeight: number;
}

export interface LetterboxOptions {
  readonly interpolation?: 'linear' | 'nearest';
  /** Beyond the picture: black, or the mean that is subtracted. */
  readonly padding?: 'black' | 'mean';
}

export interface Image {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

type Mat = { data: Uint8Array; delete(): void };

interface OpenCvModule {
  Mat: { new (): Mat; new (rows: number, cols: number, type: number): Mat };
  Size: new (width: number, height: number) => object;
  CV_8UC1: number;
  CV_8UC3: number;
  CV_8UC4: number;
  INTER_LINEAR: number;
  INTER_NEAREST: number;
  BORDER_CONSTANT: number;
  CV_64FC1: number;
  Scalar: new (...values: number[]) => object;
  matFromArray(rows: number, cols: number, type: number, values: readonly number[]): Mat;
  warpAffine(src: Mat, dst: Mat, matrix: Mat, size: object, flags: number, border: number, value: object): void;
  resize(src: Mat, dst: Mat, size: object, fx: number, fy: number, interpolation: number): void;
  onRuntimeInitialized?: () => void;
}

let openCv: OpenCvModule | undefined;
let loading: Promise<void> | undefined;

/** Needed once before `resizeOpenCv` and `letterbox`. */
export function loadOpenCv(): Promise<void> {
  loading ??= startOpenCv();
  return loading;
}

async function startOpenCv(): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.listeners(event as 'uncaughtException'));
  // Not `await import`: the module has a `then` that resolves to itself, and waiting for it never ends.
  const module: OpenCvModule = createRequire(import.meta.url)('@techstark/opencv-js');
  if (!module.Mat) {
    await new Promise<void>((resolve) => {
      module.onRuntimeInitialized = resolve;
    });
  }
  // Its listeners would turn any failing test into an abort of the process.
  for (const [i, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[i]!.includes(listener)) process.off(event, listener);
    }
  }
  openCv = module;
}

/** OpenCV's `INTER_LINEAR` or `INTER_NEAREST` on uint8. */
export function resizeOpenCv(
  source: Image,
  channels: 1 | 3 | 4,
  width: number,
  height: number,
  interpolation: 'linear' | 'nearest' = 'linear',
): Uint8Array<ArrayBuffer> {
  if (!openCv) throw new Error('await loadOpenCv() first');
  const type = { 1: openCv.CV_8UC1, 3: openCv.CV_8UC3, 4: openCv.CV_8UC4 }[channels];
  const src = new openCv.Mat(source.height, source.width, type);
  const dst = new openCv.Mat();
  try {
    src.data.set(source.data);
    openCv.resize(
      src,
      dst,
      new openCv.Size(width, height),
      0,
      0,
      interpolation === 'linear' ? openCv.INTER_LINEAR : openCv.INTER_NEAREST,
    );
    return Uint8Array.from(dst.data);
  } finally {
    src.delete();
    dst.delete();
  }
}

/** OpenCV's `warpAffine` to a square on uint8, black beyond the picture. The matrix maps the picture to the square. */
export function warpOpenCv(source: Image, channels: 3 | 4, matrix: readonly number[], size: number): Uint8Array {
  if (!openCv) throw new Error('await loadOpenCv() first');
  const src = new openCv.Mat(source.height, source.width, channels === 3 ? openCv.CV_8UC3 : openCv.CV_8UC4);
  const map = openCv.matFromArray(2, 3, openCv.CV_64FC1, matrix);
  const dst = new openCv.Mat();
  try {
    src.data.set(source.data);
    const black = new openCv.Scalar(0, 0, 0, 0);
    const side = new openCv.Size(size, size);
    openCv.warpAffine(src, dst, map, side, openCv.INTER_LINEAR, openCv.BORDER_CONSTANT, black);
    return Uint8Array.from(dst.data);
  } finally {
    for (const mat of [src, map, dst]) mat.delete();
  }
}

/** The resize in plain TypeScript. */
export function resizeLinearUint8(
  source: Image,
  channels: number,
  width: number,
  height: number,
): Uint8Array<ArrayBuffer> {
  if (source.width === width && source.height === height) return Uint8Array.from(source.data);
  const columns = linearTaps(source.width, width).map((tap) => {
    if (tap.k < 0) return { k: 0, a: 2048, b: 0 };
    if (tap.k >= source.width - 1) return { k: source.width - 1, a: 2048, b: 0 };
    return tap;
  });
  const rowLength = width * channels;
  const passes = new Map<number, Int32Array>();
  const horizontal = (y: number): Int32Array => {
    let row = passes.get(y);
    if (!row) {
      row = new Int32Array(rowLength);
      const start = y * source.width * channels;
      for (const [x, { k, a, b }] of columns.entries()) {
        for (let c = 0; c < channels; c++) {
          const at = start + k * channels + c;
          row[x * channels + c] = source.data[at]! * a + (b === 0 ? 0 : source.data[at + channels]! * b);
        }
      }
      passes.set(y, row);
    }
    return row;
  };
  const clampRow = (y: number) => Math.min(Math.max(y, 0), source.height - 1);
  const out = new Uint8Array(rowLength * height);
  for (const [y, { k, a, b }] of linearTaps(source.height, height).entries()) {
    for (const done of passes.keys()) if (done < clampRow(k)) passes.delete(done);
    const top = horizontal(clampRow(k));
    const bottom = horizontal(clampRow(k + 1));
    for (let i = 0; i < rowLength; i++) {
      out[y * rowLength + i] = (((a * (top[i]! >> 4)) >> 16) + ((b * (bottom[i]! >> 4)) >> 16) + 2) >> 2;
    }
  }
  return out;
}

/** First source index and the two weights, in 2048ths, of every output index. */
function linearTaps(from: number, to: number): { k: number; a: number; b: number }[] {
  const f = Math.fround;
  const scale = 1 / (to / from);
  return Array.from({ length: to }, (_, i) => {
    const at = f((i + 0.5) * scale - 0.5);
    const k = Math.floor(at);
    const fraction = f(at - k);
    return { k, a: roundHalfEven(f(f(1 - fraction) * 2048)), b: roundHalfEven(f(fraction * 2048)) };
  });
}

function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/** insightface 0.7: keep the aspect ratio, paste at the top left of a black canvas of `[width, height]`. */
export function letterbox(
  pixels: Pixels,
  [width, height]: readonly [number, number],
  { interpolation = 'linear', padding = 'black' }: LetterboxOptions = {},
): Letterbox {
  const ratio = pixels.height / pixels.width;
  const tall = ratio > height / width;
  const newWidth = tall ? Math.trunc(height / ratio) : width;
  const newHeight = tall ? height : Math.trunc(width * ratio);
  if (newWidth < 1 || newHeight < 1) {
    throw new RangeError(`a ${pixels.width}×${pixels.height} picture is too thin for ${width}×${height}`);
  }
  const small = resizeOpenCv({ ...pixels, data: toRgb(pixels) }, 3, newWidth, newHeight, interpolation);
  const canvas = new Uint8Array(width * height * 3);
  for (let y = 0; y < newHeight; y++) {
    canvas.set(small.subarray(y * newWidth * 3, (y + 1) * newWidth * 3), y * width * 3);
  }
  const plane = width * height;
  const blob = new Float32Array(3 * plane).fill(padding === 'mean' ? 0 : -127.5 / 128);
  for (let i = 0; i < plane; i++) {
    if (i % width >= newWidth || i >= newHeight * width) continue;
    for (let c = 0; c < 3; c++) blob[c * plane + i] = (canvas[i * 3 + c]! - 127.5) / 128;
  }
  return { canvas, blob, detScale: newHeight / pixels.height, newWidth, newHeight };
}

function toRgb({ data, channels }: Pixels): Uint8Array | Uint8ClampedArray {
  return channels === 3 ? data : data.filter((_, i) => i % 4 !== 3);
}
