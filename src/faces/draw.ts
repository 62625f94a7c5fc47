import { assertKnown, type OptionNames } from '../common/check.ts';
import type { Face } from '../common/face.ts';

/** What of a 2D canvas the marks need: a page's or a worker's. */
export type DrawingContext = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface DrawOptions {
  /** Canvas pixels per pixel of the picture, where the canvas shows it larger or smaller. Default 1. */
  readonly scale?: number;
  /** Canvas pixels per CSS pixel: `devicePixelRatio` for a canvas as sharp as the screen. Default 1. */
  readonly pixelRatio?: number;
  /** In CSS pixels. Default 2. */
  readonly lineWidth?: number;
  /** Whether scores are written above the boxes. Default true. */
  readonly labels?: boolean;
  /** CSS colours of boxes and keypoints. */
  readonly colours?: { readonly box?: string; readonly point?: string };
}

const DRAW_OPTIONS: OptionNames<DrawOptions> = { scale: 1, pixelRatio: 1, lineWidth: 1, labels: 1, colours: 1 };

/** The colours that faces are marked with, in pages and in files. */
export const MARK_COLOURS = { box: '#00e676', point: '#ff4081', shade: '#102018' } as const;

/**
 * The width of a face's lines: the picture's, but thinner on small faces, which must stay visible under their marks.
 * @param least below which lines vanish
 */
export function lineWidth(pictureLine: number, [x1, y1, x2, y2]: readonly number[], least: number): number {
  return Math.max(least, Math.min(pictureLine, Math.min(x2! - x1!, y2! - y1!) / 20));
}

/**
 * Draws boxes, scores and keypoints over a picture on a canvas. Leaves the context's state as it was.
 * @category What is done with faces
 * @example
 * ```js
 * import { drawFaces } from 'scrfd-webgpu';
 *
 * context.drawImage(image, 0, 0, canvas.width, canvas.height);
 * drawFaces(context, faces, { scale: canvas.width / image.naturalWidth, labels: false });
 * ```
 */
export function drawFaces(context: DrawingContext, faces: readonly Face[], options: DrawOptions = {}): void {
  assertKnown(options, DRAW_OPTIONS);
  const { scale = 1, pixelRatio = 1, lineWidth: width = 2, labels = true } = options;
  const colours = { ...MARK_COLOURS, ...options.colours };
  context.save();
  // weak faces first, so that strong ones are on top
  for (const { box, score, keypoints = [] } of [...faces].sort((a, b) => a.score - b.score)) {
    const [x1, y1, x2, y2] = box.map((value) => value * scale) as [number, number, number, number];
    const line = lineWidth(width * pixelRatio, [x1, y1, x2, y2], pixelRatio);
    context.lineWidth = line * 1.8;
    context.strokeStyle = `${colours.shade}99`;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.lineWidth = line;
    context.strokeStyle = colours.box;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    for (const [x, y] of keypoints) {
      context.beginPath();
      context.arc(x * scale, y * scale, line * 1.3, 0, 2 * Math.PI);
      context.fillStyle = colours.point;
      context.fill();
    }
    if (labels) drawLabel(context, score.toFixed(2), [x1 - line / 2, y1, x2 - x1 + line], pixelRatio, colours);
  }
  context.restore();
}

/** A label as wide as its box at most; what would be smaller than this part of its usual size is left out. */
const LEAST_LABEL = 0.6;

/** Draws a label above the box, or inside it where the picture ends above it. */
function drawLabel(
  context: DrawingContext,
  text: string,
  [x, y, boxWidth]: readonly [x: number, y: number, boxWidth: number],
  pixelRatio: number,
  colours: { readonly box: string; readonly shade: string },
): void {
  const font = (size: number) => `600 ${size}px system-ui, sans-serif`;
  context.font = font(12 * pixelRatio);
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  const usual = context.measureText(text).width + 8 * pixelRatio;
  const scale = Math.min(1, boxWidth / usual);
  if (scale < LEAST_LABEL) return;
  const unit = pixelRatio * scale;
  context.font = font(12 * unit);
  const [width, height] = [usual * scale, 16 * unit];
  const left = Math.max(0, x);
  const top = y - height >= 0 ? y - height : Math.max(0, y);
  context.fillStyle = colours.box;
  context.fillRect(left, top, width, height);
  context.fillStyle = colours.shade;
  context.fillText(text, left + 4 * unit, top + height / 2);
}
