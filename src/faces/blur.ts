import { assertKnown, assertOneOf, type OptionNames } from '../common/check.ts';
import type { Face } from '../common/face.ts';
import { checkPixels, type ImageDataLike, type Pixels } from '../common/image.ts';

export interface BlurOptions {
  /** Squares along a face's longer side, margin included, 1 to 64; fewer show less. Default 6. */
  readonly blocks?: number;
  /** How far beyond its box a face is hidden, as a part of the box's sides. Default 0.15. */
  readonly margin?: number;
  /** Default `ellipse`, the one that fits the box with its margin. */
  readonly shape?: 'ellipse' | 'box';
}

const BLUR_OPTIONS: OptionNames<BlurOptions> = { blocks: 1, margin: 1, shape: 1 };

/** A hidden area along x or y: its extent, the squares that divide it, and its pixels, `from` to before `to`. */
interface Axis {
  readonly start: number;
  readonly length: number;
  readonly squares: number;
  readonly from: number;
  readonly to: number;
}

/** Between which squares' centres a pixel lies, and how near it is to the second, 0 to 1. */
interface Blend {
  readonly first: number;
  readonly second: number;
  readonly weight: number;
}

/** Axes of the whole face, also of what lies beyond the picture, so that a border neither moves the ellipse nor refines the mosaic. */
function axesOf([x1, y1, x2, y2]: Face['box'], margin: number, blocks: number, { width, height }: Pixels) {
  const [dx, dy] = [(x2 - x1) * margin, (y2 - y1) * margin];
  const [left, top] = [Math.floor(x1 - dx), Math.floor(y1 - dy)];
  const sides = [Math.ceil(x2 + dx) - left, Math.ceil(y2 + dy) - top] as const;
  const longer = Math.max(...sides);
  const makeAxis = (start: number, length: number, end: number): Axis => ({
    start,
    length,
    // none is thinner than a pixel: it would have no colour
    squares: Math.min(Math.max(Math.round((blocks * length) / longer), 1), length),
    from: Math.max(start, 0),
    to: Math.min(start + length, end),
  });
  return [makeAxis(left, sides[0], width), makeAxis(top, sides[1], height)] as const;
}

function squareOf({ start, length, squares }: Axis, pixel: number): number {
  return Math.floor(((pixel - start) * squares) / length);
}

/** A blend for every pixel. Squares beyond the picture have no colour and are left out. */
function blendsOf(axis: Axis): Blend[] {
  const { start, length, squares, from, to } = axis;
  const last = squareOf(axis, to - 1);
  return Array.from({ length: to - from }, (_, i) => {
    const position = ((from + i + 0.5 - start) * squares) / length - 0.5;
    const clamped = Math.min(Math.max(position, squareOf(axis, from)), last);
    const first = Math.floor(clamped);
    return { first, second: Math.min(first + 1, last), weight: clamped - first };
  });
}

/**
 * Hides faces: each is replaced by a coarse mosaic of its mean colours, smooth between them. Unlike a Gaussian blur,
 * whose kernel can be inverted, a mosaic of few squares keeps too little to restore a face.
 * @returns new pixels of the same size and channels; alpha stays
 * @throws RangeError for bad options or pixels
 * @category What is done with faces
 * @example
 * ```js
 * import { blurFaces } from 'scrfd-webgpu';
 *
 * const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
 * pixels.data.set(blurFaces(pixels, faces, { shape: 'box' }).data);
 * context.putImageData(pixels, 0, 0);
 * ```
 */
export function blurFaces(
  picture: ImageDataLike,
  faces: readonly Pick<Face, 'box'>[],
  options: BlurOptions = {},
): Pixels {
  assertKnown(options, BLUR_OPTIONS);
  const { blocks = 6, margin = 0.15, shape = 'ellipse' } = options;
  const image = checkPixels(picture);
  if (!(Number.isInteger(blocks) && blocks >= 1 && blocks <= 64)) {
    throw new RangeError(`blocks: expected an integer from 1 to 64, got ${blocks}`);
  }
  if (!(typeof margin === 'number' && margin >= 0 && margin <= 2)) {
    throw new RangeError(`margin: expected a number from 0 to 2, got ${String(margin)}`);
  }
  assertOneOf('shape', shape, ['ellipse', 'box']);
  // not by slice(), which copies nothing of a Buffer
  const data = new (image.data instanceof Uint8ClampedArray ? Uint8ClampedArray : Uint8Array)(image.data);
  for (const { box } of faces) {
    if (!box.every(Number.isFinite)) throw new RangeError(`box: expected four finite numbers, got ${box.join(', ')}`);
    const [columns, rows] = axesOf(box, margin, blocks, image);
    if (columns.from < columns.to && rows.from < rows.to) hideArea({ ...image, data }, columns, rows, shape);
  }
  return { ...image, data };
}

function hideArea(image: Pixels, columns: Axis, rows: Axis, shape: 'ellipse' | 'box'): void {
  const means = meanColours(image, columns, rows);
  const across = blendsOf(columns);
  // distance from the middle, in halves of the side
  const offset = ({ start, length }: Axis, pixel: number) => (2 * (pixel + 0.5 - start)) / length - 1;
  blendsOf(rows).forEach((row, j) => {
    const y = rows.from + j;
    across.forEach((column, i) => {
      const x = columns.from + i;
      if (shape === 'ellipse' && offset(columns, x) ** 2 + offset(rows, y) ** 2 > 1) return;
      const at = (y * image.width + x) * image.channels;
      for (let c = 0; c < 3; c++) {
        const along = (square: number) => {
          const mean = (other: number) => means[(square * columns.squares + other) * 3 + c]!;
          return mean(column.first) * (1 - column.weight) + mean(column.second) * column.weight;
        };
        image.data[at + c] = Math.round(along(row.first) * (1 - row.weight) + along(row.second) * row.weight);
      }
    });
  });
}

/** Mean colours of the squares, row by row, three numbers each; 0 for squares beyond the picture. */
function meanColours({ data, width, channels }: Pixels, columns: Axis, rows: Axis): Float64Array {
  const sums = new Float64Array(columns.squares * rows.squares * 3);
  const counts = new Float64Array(columns.squares * rows.squares);
  for (let y = rows.from; y < rows.to; y++) {
    for (let x = columns.from; x < columns.to; x++) {
      const square = squareOf(rows, y) * columns.squares + squareOf(columns, x);
      const at = (y * width + x) * channels;
      counts[square]!++;
      for (let c = 0; c < 3; c++) sums[square * 3 + c]! += data[at + c]!;
    }
  }
  return sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / 3)]!));
}
