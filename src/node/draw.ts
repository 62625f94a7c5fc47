import { extname } from 'node:path';
import { ImageError } from '../common/errors.ts';
import type { Face } from '../common/face.ts';
import { dropAlpha, type ImageDataLike, type Pixels, steadyPixels } from '../common/image.ts';
import { lineWidth, MARK_COLOURS } from '../faces/draw.ts';
import { writeWhole } from './files.ts';
import { loadSharp } from './sharp.ts';

const { box: BOX, point: POINT, shade: SHADE } = MARK_COLOURS;

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
};

/**
 * The picture, as RGB, with a box, a score and the keypoints drawn for every face; lines scale with the picture.
 * @category Files, in Node
 */
export async function paintFaces(image: ImageDataLike, faces: readonly Face[]): Promise<Pixels> {
  const sharp = await loadSharp();
  const { data, width, height, channels } = steadyPixels(image);
  try {
    const overlay = Buffer.from(renderOverlay(width, height, faces));
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
export async function writeAnnotated(path: string, image: ImageDataLike, faces: readonly Face[]): Promise<void> {
  assertWritable(path);
  await writePicture(path, await paintFaces(image, faces));
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

function renderOverlay(width: number, height: number, faces: readonly Face[]): string {
  const line = Math.max(1.5, Math.hypot(width, height) / 400);
  // weak faces first, so that strong ones are on top
  const marks = [...faces].sort((a, b) => a.score - b.score).map((face) => renderFace(face, line));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${marks.join('')}</svg>`;
}

function renderFace({ box, score, keypoints = [] }: Face, pictureLine: number): string {
  const [x1, y1, x2, y2] = box;
  const line = lineWidth(pictureLine, box, 1);
  const outline = `<path d="M${x1} ${y1}H${x2}V${y2}H${x1}Z" fill="none" stroke`;
  const points = keypoints.map(
    ([x, y]) =>
      `<circle cx="${x}" cy="${y}" r="${1.3 * line}" fill="${POINT}" stroke="${SHADE}" stroke-width="${line / 3}"/>`,
  );
  return [
    `${outline}="${SHADE}" stroke-opacity="0.6" stroke-width="${1.8 * line}"/>`,
    `${outline}="${BOX}" stroke-width="${line}"/>`,
    ...points,
    renderLabel(score.toFixed(2), x1, y1, x2 - x1, line),
  ].join('');
}

/** A label on the box's upper edge and no wider, where that stays legible; inside the box where the picture ends above it. */
function renderLabel(text: string, x: number, y: number, boxWidth: number, line: number): string {
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
    `<path d="M${left} ${top}h${width}v${height}h${-width}Z" fill="${BOX}"/>`,
    `<g fill="none" stroke="${SHADE}" stroke-width="1.1" stroke-linejoin="round" stroke-linecap="round">`,
    ...characters,
    '</g>',
  ].join('');
}
