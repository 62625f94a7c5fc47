import { extname } from 'node:path';
import { assertKnown, type OptionNames } from '../common/check.ts';
import { ImageError } from '../common/errors.ts';
import type { Face } from '../common/face.ts';
import { dropAlpha, type ImageDataLike, type Pixels, steadyPixels } from '../common/image.ts';
import { lineWidth, MARK_COLOURS } from '../faces/draw.ts';
import type { Tracked } from '../faces/tracking/tracker.ts';
import { writeWhole } from './files.ts';
import { loadSharp } from './sharp.ts';

const { shade: SHADE } = MARK_COLOURS;
/** What labels are written in where the shade would not show. */
const LIGHT = '#ffffff';

export interface PaintOptions {
  /** Of lines, in pixels; thinner on small faces. Default: by the size of the picture. */
  readonly lineWidth?: number;
  /** Whether scores, or the numbers of faces in a track, are written above the boxes. Default true. */
  readonly labels?: boolean;
  /** Of boxes and keypoints, as `#rrggbb`. */
  readonly colours?: { readonly box?: string; readonly point?: string };
}

const PAINT_OPTIONS: OptionNames<PaintOptions> = { lineWidth: 1, labels: 1, colours: 1 };

/** What all faces of a picture are marked with. */
interface Style {
  readonly line: number;
  readonly labels: boolean;
  readonly box: string;
  readonly point: string;
}

/** Strokes on a grid 4 wide and 6 high: librsvg takes text from the machine's fonts, and containers have none. */
const GLYPHS: Readonly<Record<string, string>> = {
  '0': 'M0 0H4V6H0Z',
  '1': 'M1 1L2 0V6',
  '2': 'M0 0H4V3H0V6H4',
  '3': 'M0 0H4V6H0M1 3H4',
  '4': 'M0 0V3H4M4 0V6',
  '5': 'M4 0H0V3H4V6H0',
  '6': 'M4 0H0V6H4V3H0',
  '7': 'M0 0H4V6',
  '8': 'M0 0H4V6H0ZM0 3H4',
  '9': 'M4 3H0V0H4V6H0',
  '.': 'M0 5.8V6',
  '#': 'M1.2 0V6M2.8 0V6M0 1.8H4M0 4.2H4',
};

/**
 * The picture, as RGB, with a box, a score or the number of its track, and the keypoints drawn for every face; lines scale with the
 * picture.
 * @throws RangeError or TypeError for a bad option, ImageError
 * @category Files, in Node
 */
export async function paintFaces(
  image: ImageDataLike,
  faces: readonly Tracked<Face>[],
  options: PaintOptions = {},
): Promise<Pixels> {
  assertPaintOptions(options);
  const sharp = await loadSharp();
  const { data, width, height, channels } = steadyPixels(image);
  try {
    const overlay = Buffer.from(renderOverlay(width, height, faces, options));
    // by hand, because sharp composites before it removes an alpha channel
    const rgb = channels === 3 ? data : dropAlpha(data);
    const drawn = await sharp(rgb, { raw: { width, height, channels: 3 }, limitInputPixels: false })
      .composite([{ input: overlay, limitInputPixels: false }])
      .removeAlpha()
      .raw()
      .toBuffer();
    return { data: new Uint8Array(drawn.buffer, drawn.byteOffset, drawn.byteLength), width, height, channels: 3 };
  } catch (error) {
    throw new ImageError(`paintFaces: cannot draw on ${width}×${height} pixels (${(error as Error).message})`, {
      cause: error,
    });
  }
}

const FORMATS = { '.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg', '.webp': 'webp' } as const;

/** Whether `writeAnnotated` can write a file of this name. */
export function isWritable(path: string): boolean {
  return Object.hasOwn(FORMATS, extname(path).toLowerCase());
}

/**
 * Draws the faces and writes the picture, in the format that the file's extension names, completely or not at all.
 * @category Files, in Node
 * @example
 * ```js
 * import { readImage, writeAnnotated } from 'scrfd-webgpu/node';
 *
 * const picture = await readImage('photo.jpg');
 * await writeAnnotated('marked.png', picture, await detector.detect(picture));
 * ```
 */
export async function writeAnnotated(
  path: string,
  image: ImageDataLike,
  faces: readonly Tracked<Face>[],
  options: PaintOptions = {},
): Promise<void> {
  assertWritable(path);
  await writePicture(path, await paintFaces(image, faces, options));
}

/** `#rrggbb`, or a digit for each. */
export const HEX_COLOUR = /^#([\da-f]{3}|[\da-f]{6})$/i;

function assertPaintOptions(options: PaintOptions): void {
  assertKnown(options, PAINT_OPTIONS);
  const { lineWidth: width, colours = {} } = options;
  if (width !== undefined && !(width > 0 && Number.isFinite(width))) {
    throw new RangeError(`lineWidth: expected a positive number, got ${String(width)}`);
  }
  assertKnown(colours, { box: 1, point: 1 });
  for (const [name, colour] of Object.entries(colours)) {
    if (HEX_COLOUR.test(colour)) continue;
    throw new RangeError(`colours.${name}: expected #rrggbb, got '${String(colour)}'`);
  }
}

function assertWritable(path: string): void {
  if (!isWritable(path)) {
    throw new RangeError(`${path}: expected the extension .png, .jpg, .jpeg or .webp, got '${extname(path)}'`);
  }
}

/** Writes a picture, RGB or RGBA, in the format that the file's extension names, completely or not at all. */
export async function writePicture(path: string, picture: Pixels): Promise<void> {
  assertWritable(path);
  const { data, width, height, channels } = steadyPixels(picture);
  const format = FORMATS[extname(path).toLowerCase() as keyof typeof FORMATS];
  const sharp = await loadSharp();
  const encode = () =>
    sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
      // thin coloured lines smear when a lossy format halves the colour resolution
      .toFormat(format, format === 'jpeg' ? { quality: 92, chromaSubsampling: '4:4:4' } : {})
      .toBuffer();
  await writeWhole(path, encode, ImageError);
}

function renderOverlay(
  width: number,
  height: number,
  faces: readonly Tracked<Face>[],
  { lineWidth: line = Math.max(1.5, Math.hypot(width, height) / 400), labels = true, colours }: PaintOptions,
): string {
  const style: Style = { line, labels, ...MARK_COLOURS, ...colours };
  // weak faces first, so that strong ones are on top
  const marks = [...faces].sort((a, b) => a.score - b.score).map((face) => renderFace(face, style));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${marks.join('')}</svg>`;
}

function renderFace({ box, score, keypoints = [], track }: Tracked<Face>, style: Style): string {
  const [x1, y1, x2, y2] = box;
  const line = lineWidth(style.line, box, 1);
  const outline = `<path d="M${x1} ${y1}H${x2}V${y2}H${x1}Z" fill="none" stroke`;
  const points = keypoints.map(
    ([x, y]) =>
      `<circle cx="${x}" cy="${y}" r="${1.3 * line}" fill="${style.point}" stroke="${SHADE}" stroke-width="${line / 3}"/>`,
  );
  return [
    `${outline}="${SHADE}" stroke-opacity="0.6" stroke-width="${1.8 * line}"/>`,
    `${outline}="${style.box}" stroke-width="${line}"/>`,
    ...points,
    style.labels
      ? renderLabel(track === undefined ? score.toFixed(2) : `#${track}`, x1, y1, x2 - x1, line, style.box)
      : '',
  ].join('');
}

/** A label on the box's upper edge and no wider, where that stays legible; inside the box where the picture ends above it. */
function renderLabel(text: string, x: number, y: number, boxWidth: number, line: number, colour: string): string {
  const offsets = [2];
  for (const character of text) offsets.push(offsets.at(-1)! + (character === '.' ? 2.5 : 6));
  const units = offsets.at(-1)!;
  const unit = Math.max(1, Math.min(0.9 * line, boxWidth / units));
  const [width, height] = [units * unit, 10 * unit];
  const left = Math.max(0, x - line / 2);
  const top = y - height >= 0 ? y - height : Math.max(0, y);
  const characters = [...text].map((character, i) => {
    const at = `translate(${left + offsets[i]! * unit} ${top + 2 * unit}) scale(${unit})`;
    return `<path d="${GLYPHS[character]}" transform="${at}"/>`;
  });
  return [
    `<path d="M${left} ${top}h${width}v${height}h${-width}Z" fill="${colour}"/>`,
    `<g fill="none" stroke="${isDark(colour) ? LIGHT : SHADE}" stroke-width="1.1" stroke-linejoin="round" stroke-linecap="round">`,
    ...characters,
    '</g>',
  ].join('');
}

/** Whether what is written on a colour should be light: by its luma. */
function isDark(colour: string): boolean {
  const digits =
    colour.length === 4 ? [...colour.slice(1)].map((digit) => digit + digit) : colour.slice(1).match(/../g)!;
  const [red, green, blue] = digits.map((digit) => Number.parseInt(digit, 16)) as [number, number, number];
  return 0.299 * red + 0.587 * green + 0.114 * blue < 110;
}
