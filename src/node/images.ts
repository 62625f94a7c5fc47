import { ImageError } from '../common/errors.ts';
import type { Pixels } from '../common/image.ts';
import { describeSource, readSource } from './files.ts';
import { loadSharp } from './sharp.ts';

/**
 * Decodes JPEG, PNG, WebP, AVIF, GIF (first frame) or TIFF to RGB the way OpenCV's imread does: EXIF orientation applied,
 * alpha dropped, the high byte of 16 bits, profiles not applied. CMYK alone is converted by its ICC profile.
 * Rejects with an `ImageError` that names the source, or with `signal.reason`.
 */
export async function readImage(
  source: string | URL | Uint8Array | ArrayBuffer,
  signal?: AbortSignal,
): Promise<Pixels> {
  const sharp = await loadSharp();
  const bytes = await encodedBytes(source, signal);
  const name = typeof source === 'string' || source instanceof URL ? describeSource(source) : 'picture';
  if (bytes.byteLength === 0) throw new ImageError(`${name}: expected a picture, got 0 bytes`);
  try {
    const { space } = await sharp(bytes).metadata();
    // warnings (stray bytes before a marker) are common and harmless in camera files; missing data is an error
    const { data, info } = await sharp(bytes, { autoOrient: true, failOn: 'error', ignoreIcc: space !== 'cmyk' })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    signal?.throwIfAborted();
    const { width, height } = info;
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), width, height, channels: 3 };
  } catch (error) {
    signal?.throwIfAborted();
    throw new ImageError(`${name}: ${explain(error, bytes)}`, { cause: error });
  }
}

async function encodedBytes(
  source: string | URL | Uint8Array | ArrayBuffer,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (typeof source === 'string' || source instanceof URL) return readSource(source, signal, ImageError);
  throw new TypeError(`readImage: expected a path, URL, Uint8Array or ArrayBuffer, got ${typeof source}`);
}

function explain(error: unknown, bytes: Uint8Array): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  const kind = kindOf(bytes);
  if (!DECODABLE.includes(kind)) return `expected a ${DECODABLE.join(', ')} picture, got ${kind}; convert it first`;
  if (line.includes('pixel limit')) return `${kind} of more than 268 megapixels is too large; scale it down first`;
  return `${kind} is damaged or cut short (${line}); fetch or export it again`;
}

const DECODABLE: readonly string[] = ['JPEG', 'PNG', 'WebP', 'AVIF', 'GIF', 'TIFF'];

const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\xff\xd8\xff/, 'JPEG'],
  [/^\x89PNG/, 'PNG'],
  [/^GIF8/, 'GIF'],
  [/^RIFF....WEBP/s, 'WebP'],
  [/^....ftyp(avif|avis)/s, 'AVIF'],
  [/^....ftyp(hei[cx]|hev[cx]|mif1|msf1)/s, 'HEIC'],
  [/^....ftyp/s, 'a video'],
  [/^(II\*\0|MM\0\*)/, 'TIFF'],
  [/^BM/, 'BMP'],
  [/^%PDF/, 'PDF'],
  [/^version https:\/\/git-lfs/, 'a Git LFS pointer (git lfs pull fetches the picture)'],
  [/^\s*<(!doctype|html)/i, 'an HTML page'],
  [/^[\t\n\r\x20-\x7e\x80-\xff]+$/, 'text'],
];

function kindOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString('latin1');
  return SIGNATURES.find(([pattern]) => pattern.test(head))?.[1] ?? 'unknown data';
}
