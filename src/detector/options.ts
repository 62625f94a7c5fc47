import { assertFraction, assertOneOf, type OptionNames } from '../common/check.ts';
import type { ImageSize, Size } from '../common/geometry.ts';
import { MAX_SIDE } from '../graph/shapes.ts';
import type { ImageParams } from '../kernels/detection/image-params.ts';
import { type Fit, fitLetterbox, type Interpolation } from '../kernels/detection/letterbox.ts';
import { declaredSize, type Model } from '../loader/model.ts';
import type { Progress } from '../runtime/progress.ts';
import { sideMultiple } from './heads.ts';

/** How to choose when more faces than `maxFaces` are found: large and near the image centre, or just large. */
export type MaxFacesMetric = 'default' | 'max';

/**
 * Whose conventions to follow. `0.7`, `1.0` and `2.0` are versions of insightface's Python package; `1.0` and `2.0`
 * search 128×128 and 640×640 together. `mmdet` is the protocol behind the published WIDER FACE numbers: sizes are
 * rounded, the padding is mid-grey, boxes are clipped, and areas do not count a box's last pixel.
 */
export type Compat = '0.7' | '1.0' | '2.0' | 'mmdet';

/** GPU time of one call, in milliseconds. */
export interface Timings {
  readonly letterboxMs: number;
  readonly networkMs: number;
  /** Decoding, sorting and non-maximum suppression. */
  readonly facesMs: number;
}

export interface DetectOptions {
  /** Whose defaults and conventions to follow. Default `0.7`. */
  readonly compat?: Compat;
  /** Least score of a face, 0 to 1. Default 0.5; for `mmdet` 0.02, which a score must exceed. */
  readonly scoreThreshold?: number;
  /** Overlap above which the weaker of two boxes is dropped, 0 to 1. Default 0.4; for `mmdet` 0.45. */
  readonly iouThreshold?: number;
  /** Faces at most; 0, the default, means all. */
  readonly maxFaces?: number;
  readonly maxFacesMetric?: MaxFacesMetric;
  /**
   * Size that pictures are fitted into, in pixels, rounded up to what the model's strides need; `image` leaves them as
   * large as they are. Default 640×640, or the size that the file fixes. The first use of a size compiles it; all sizes
   * share the weights, and the eight used last stay compiled.
   */
  readonly inputSize?: Size | 'image';
  /** Several sizes instead: faces found at any of them are suppressed together. A small one finds large, close faces. */
  readonly inputSizes?: readonly Size[];
  /** What lies beyond a picture that does not fill the input size. Default `black`, for `mmdet` `mean`, the mid-grey. */
  readonly padding?: 'black' | 'mean';
  /** OpenCV's resize mode. Default `linear`. */
  readonly interpolation?: Interpolation;
  /** Called with the GPU's own times, where the device has the feature `timestamp-query`. */
  readonly onTimings?: (timings: Timings) => void;
  /**
   * Called while kernels are compiled for a size that comes for the first time, and by `createDetector` while the model is
   * downloaded: see `Progress`.
   */
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export const DETECT_OPTIONS: OptionNames<DetectOptions> = {
  ...{ compat: 1, scoreThreshold: 1, iouThreshold: 1, maxFaces: 1, maxFacesMetric: 1, inputSize: 1, inputSizes: 1 },
  ...{ padding: 1, interpolation: 1, onTimings: 1, onProgress: 1, signal: 1 },
};

/** Checked options with all defaults in place. */
export interface Settings
  extends Pick<
    ImageParams,
    'padding' | 'scoreThreshold' | 'iouThreshold' | 'clip' | 'includeLastPixel' | 'maxFaces' | 'preferCentral'
  > {
  readonly sizes: readonly Size[] | 'image';
  readonly fit: Fit;
  readonly interpolation: Interpolation;
}

interface Profile extends Pick<Settings, 'fit' | 'scoreThreshold' | 'iouThreshold' | 'clip' | 'includeLastPixel'> {
  readonly sizes: readonly Size[];
  readonly padding: 'black' | 'mean';
}

const INSIGHTFACE: Profile = {
  sizes: [[640, 640]],
  fit: 'insightface',
  padding: 'black',
  scoreThreshold: 0.5,
  iouThreshold: 0.4,
  clip: false,
  includeLastPixel: true,
};

const JOINT_SIZES: readonly Size[] = [
  [128, 128],
  [640, 640],
];

const PROFILES: Readonly<Record<Compat, Profile>> = {
  '0.7': INSIGHTFACE,
  '1.0': { ...INSIGHTFACE, sizes: JOINT_SIZES },
  '2.0': { ...INSIGHTFACE, sizes: JOINT_SIZES },
  mmdet: {
    ...INSIGHTFACE,
    ...{ fit: 'mmdet', padding: 'mean', scoreThreshold: 0.02, iouThreshold: 0.45, clip: true, includeLastPixel: false },
  },
};

/** The byte of the padding, normalised as pixels are. */
const PADDINGS = { black: (0 - 127.5) / 128, mean: 0 } as const;

function assertSize(name: string, size: Size): void {
  const fits = (side: number) => Number.isInteger(side) && side > 0 && side <= MAX_SIDE;
  if (Array.isArray(size) && size.length === 2 && size.every(fits)) return;
  throw new RangeError(
    `${name}: expected two integers of 1 to ${MAX_SIDE} [width, height], got [${Array.isArray(size) ? size.join(', ') : String(size)}]`,
  );
}

/** Options of one call over those of the detector; a call's size replaces the detector's sizes and the reverse. */
export function mergeOptions(base: DetectOptions, call: DetectOptions): DetectOptions {
  const { inputSize: _, inputSizes: __, ...rest } = base;
  const sized = call.inputSize !== undefined || call.inputSizes !== undefined;
  return { ...(sized ? rest : base), ...call };
}

/** @throws RangeError that names the option, what was expected and what came */
export function readSettings(options: DetectOptions, model: Model): Settings {
  const { compat = '0.7', maxFaces = 0, maxFacesMetric = 'default', interpolation = 'linear' } = options;
  assertOneOf('compat', compat, Object.keys(PROFILES));
  const profile = PROFILES[compat];
  const { scoreThreshold = profile.scoreThreshold, iouThreshold = profile.iouThreshold } = options;
  const { padding = profile.padding } = options;
  for (const [name, value] of Object.entries({ scoreThreshold, iouThreshold })) {
    assertFraction(name, value);
  }
  if (!Number.isInteger(maxFaces) || maxFaces < 0 || maxFaces > 0x7fffffff) {
    throw new RangeError(`maxFaces: expected a non-negative integer, got ${maxFaces}`);
  }
  assertOneOf('maxFacesMetric', maxFacesMetric, ['default', 'max']);
  assertOneOf('padding', padding, Object.keys(PADDINGS));
  assertOneOf('interpolation', interpolation, ['linear', 'nearest']);
  const { fit, clip, includeLastPixel } = profile;
  return {
    sizes: readSizes(options, model, profile.sizes),
    ...{ fit, interpolation, clip, includeLastPixel, iouThreshold, maxFaces },
    padding: PADDINGS[padding],
    // mmdet keeps what is above the threshold, the others what reaches it
    scoreThreshold: compat === 'mmdet' ? nextFloat(scoreThreshold) : scoreThreshold,
    preferCentral: maxFacesMetric === 'default',
  };
}

function readSizes({ inputSize, inputSizes }: DetectOptions, model: Model, usual: readonly Size[]): Settings['sizes'] {
  if (inputSize !== undefined && inputSizes !== undefined) {
    throw new RangeError('inputSize: expected this or inputSizes, got both');
  }
  if (inputSize === 'image') return 'image';
  if (inputSizes !== undefined && !(Array.isArray(inputSizes) && inputSizes.length > 0)) {
    throw new RangeError(`inputSizes: expected at least one size, got ${String(inputSizes)}`);
  }
  const declared = declaredSize(model);
  const sizes = inputSizes ?? (inputSize === undefined ? undefined : [inputSize]) ?? (declared && [declared]) ?? usual;
  for (const size of sizes) assertSize(inputSizes ? 'inputSizes' : 'inputSize', size);
  return sizes.map((size) => roundSize(size, model));
}

/** The sizes that a batch of images is searched at. */
export function inputSizesFor({ sizes }: Settings, model: Model, images: readonly ImageSize[]): readonly Size[] {
  if (sizes !== 'image') return sizes;
  const side = (name: 'width' | 'height') => Math.max(...images.map((image) => image[name]));
  return [roundSize([side('width'), side('height')], model)];
}

/** Where an image lands in the network's input. */
export function placeImage({ sizes, fit }: Settings, { width, height }: ImageSize, inputSize: Size) {
  if (sizes === 'image') return { newWidth: width, newHeight: height, scale: [1, 1] as const };
  return fitLetterbox(width, height, ...inputSize, fit);
}

/** A size that the model's strides tile, at least as large. */
export function roundSize([width, height]: Size, model: Model): Size {
  const multiple = sideMultiple(model);
  return [Math.ceil(width / multiple) * multiple, Math.ceil(height / multiple) * multiple];
}

/** The next larger float32. */
function nextFloat(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer);
  bits[0]!++;
  return new Float32Array(bits.buffer)[0]!;
}
