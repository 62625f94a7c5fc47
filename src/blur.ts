import type { Face, Pixels } from './face.ts';
import { assertPixels } from './pictures.ts';

export interface BlurOptions {
  /** Squares along a face's longer side, 1 to 64; fewer show less. Default 6. */
  readonly blocks?: number;
  /** How far beyond its box a face is hidden, as a part of the box's sides. Default 0.15. */
  readonly margin?: number;
  /** Default `ellipse`, the one that fits the box with its margin. */
  readonly shape?: 'ellipse' | 'box';
}

interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function areaOf([x1, y1, x2, y2]: Face['box'], margin: number, { width, height }: Pixels): Area {
  const [dx, dy] = [(x2 - x1) * margin, (y2 - y1) * margin];
  const clamp = (value: number, end: number) => Math.min(Math.max(value, 0), end);
  return {
    left: clamp(Math.floor(x1 - dx), width),
    top: clamp(Math.floor(y1 - dy), height),
    right: clamp(Math.ceil(x2 + dx), width),
    bottom: clamp(Math.ceil(y2 + dy), height),
  };
}

/**
 * Hides faces: each is replaced by a coarse mosaic of its mean colours, smooth between them. Unlike a Gaussian blur,
 * whose kernel can be inverted, a mosaic of few squares keeps too little to restore a face.
 * @returns new pixels of the same size and channels; alpha stays
 * @throws RangeError for bad options or pixels
 */
export function blurFaces(image: Pixels, faces: readonly Pick<Face, 'box'>[], options: BlurOptions = {}): Pixels {
  const { blocks = 6, margin = 0.15, shape = 'ellipse' } = options;
  assertPixels(image);
  if (!(Number.isInteger(blocks) && blocks >= 1 && blocks <= 64)) {
    throw new RangeError(`blocks: expected an integer from 1 to 64, got ${blocks}`);
  }
  if (!(margin >= 0 && margin <= 2)) throw new RangeError(`margin: expected a number from 0 to 2, got ${margin}`);
  if (shape !== 'ellipse' && shape !== 'box') {
    throw new RangeError(`shape: expected 'ellipse' or 'box', got ${String(shape)}`);
  }
  const data = image.data.slice();
  for (const { box } of faces) {
    if (!box.every(Number.isFinite)) throw new RangeError(`box: expected four finite numbers, got ${box.join(', ')}`);
    const area = areaOf(box, margin, image);
    if (area.left < area.right && area.top < area.bottom) hideArea({ ...image, data }, area, blocks, shape);
  }
  return { ...image, data };
}

function hideArea(image: Pixels, area: Area, blocks: number, shape: 'ellipse' | 'box'): void {
  const { left, top, right, bottom } = area;
  const side = Math.max(right - left, bottom - top) / blocks;
  const columns = Math.ceil((right - left) / side);
  const rows = Math.ceil((bottom - top) / side);
  const means = meanColours(image, area, side, columns, rows);
  const [middleX, middleY] = [(left + right) / 2, (top + bottom) / 2];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const dx = (x + 0.5 - middleX) / ((right - left) / 2);
      const dy = (y + 0.5 - middleY) / ((bottom - top) / 2);
      if (shape === 'ellipse' && dx * dx + dy * dy > 1) continue;
      // between the centres of the squares
      const u = Math.min(Math.max((x + 0.5 - left) / side - 0.5, 0), columns - 1);
      const v = Math.min(Math.max((y + 0.5 - top) / side - 0.5, 0), rows - 1);
      const [column, row] = [Math.min(Math.floor(u), columns - 2), Math.min(Math.floor(v), rows - 2)].map((i) =>
        Math.max(i, 0),
      ) as [number, number];
      const [fu, fv] = [u - column, v - row];
      const at = (y * image.width + x) * image.channels;
      for (let c = 0; c < 3; c++) {
        const mean = (i: number, j: number) =>
          means[(Math.min(row + j, rows - 1) * columns + Math.min(column + i, columns - 1)) * 3 + c]!;
        const above = mean(0, 0) * (1 - fu) + mean(1, 0) * fu;
        const below = mean(0, 1) * (1 - fu) + mean(1, 1) * fu;
        image.data[at + c] = Math.round(above * (1 - fv) + below * fv);
      }
    }
  }
}

/** Row by row, three numbers a square. */
function meanColours({ data, width, channels }: Pixels, area: Area, side: number, columns: number, rows: number) {
  const sums = new Float64Array(columns * rows * 3);
  const counts = new Float64Array(columns * rows);
  for (let y = area.top; y < area.bottom; y++) {
    for (let x = area.left; x < area.right; x++) {
      const column = Math.min(Math.floor((x - area.left) / side), columns - 1);
      const row = Math.min(Math.floor((y - area.top) / side), rows - 1);
      const square = row * columns + column;
      const at = (y * width + x) * channels;
      counts[square]!++;
      for (let c = 0; c < 3; c++) sums[square * 3 + c]! += data[at + c]!;
    }
  }
  return sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / 3)]!));
}
