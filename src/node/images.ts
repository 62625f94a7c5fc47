import { readBytes } from '../common/caller-memory.ts';
import { assertKnown } from '../common/check.ts';
import { classNameOf } from '../common/class-name.ts';
import { ImageError } from '../common/errors.ts';
import type { Pixels } from '../common/image.ts';
import type { ReadLimits } from '../common/limits.ts';
import { assertLimits, describeSource, type FileKind, readSource } from './files.ts';
import { loadSharp } from './sharp.ts';
import { WeightedQueue } from './weighted-queue.ts';

export type EncodedImage = string | URL | Uint8Array | ArrayBuffer | Blob;

export interface ReadImageOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is read and decoded at most. */
  readonly limits?: ReadLimits | undefined;
}

/** A picture whose size is known, and not yet its pixels. */
export interface UndecodedImage {
  readonly width: number;
  readonly height: number;
  decode(): Promise<Pixels>;
}

const PICTURE_FILE: FileKind = {
  Failure: ImageError,
  maxBytes: { file: 2 ** 30, url: 2 ** 28 },
  timeout: 300_000,
  html: true,
};

const MAX_PIXELS = 16_383 ** 2;

/** Pixels that are decoded at a time: of small pictures many, of the largest that are read by default one. */
const decoding = new WeightedQueue(MAX_PIXELS);

/**
 * Decodes JPEG, PNG, WebP, AVIF, GIF (first frame) or TIFF to RGB the way OpenCV's imread does: EXIF orientation applied,
 * alpha dropped, the high byte of 16 bits, profiles not applied. CMYK alone is converted by its ICC profile.
 * Rejects with an `ImageError` that names the source, or with `signal.reason`, at once, where libvips decodes in vain to its end.
 * @category Files, in Node
 */
export async function readImage(source: EncodedImage, options: ReadImageOptions = {}): Promise<Pixels> {
  assertKnown(options, { signal: 1, limits: 1 });
  const image = await openEncoded(source, options);
  return image.decode();
}

/**
 * Reads a picture's bytes and header; fails for what `readImage` does not decode.
 * @param name what errors call it
 */
export async function openEncoded(
  source: EncodedImage,
  { signal, limits = {} }: ReadImageOptions = {},
  name: string = typeof source === 'string' || source instanceof URL ? describeSource(source) : 'picture',
): Promise<UndecodedImage> {
  const { maxPixels = MAX_PIXELS, timeout = PICTURE_FILE.timeout } = limits;
  assertLimits(limits);
  const sharp = await loadSharp();
  const bytes = await encodedBytes(source, { signal, limits });
  if (bytes.byteLength === 0) throw new ImageError(`${name}: expected a picture, got 0 bytes`);
  const kind = kindOf(bytes);
  // by the bytes, whatever the name: libvips knows formats that are programs, such as SVG
  if (!DECODABLE.includes(kind)) {
    throw new ImageError(`${name}: expected a ${DECODABLE.join(', ')} picture, got ${kind}; convert it first`);
  }
  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await abortable(work, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw new ImageError(`${name}: ${explain(error, kind, timeout)}`, { cause: error });
    }
  };
  const { space, width, height } = await explained(sharp(bytes, { limitInputPixels: false }).metadata());
  if (width * height > maxPixels) {
    throw new ImageError(
      `${name}: expected at most ${maxPixels} pixels (maxPixels), got ${kind} of ${width}×${height}; scale it down first`,
    );
  }
  // warnings (stray bytes before a marker) are common and harmless in camera files; missing data is an error
  const decode = async () => {
    // given up while others were decoded
    signal?.throwIfAborted();
    return sharp(bytes, { autoOrient: true, failOn: 'error', ignoreIcc: space !== 'cmyk', limitInputPixels: maxPixels })
      .timeout({ seconds: Math.min(Math.ceil(timeout / 1000), SHARP_MOST_SECONDS) })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
  };
  return {
    width,
    height,
    async decode() {
      const { data, info } = await explained(decoding.run(width * height, decode));
      const { width: w, height: h } = info;
      return { data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), width: w, height: h, channels: 3 };
    },
  };
}

const SHARP_MOST_SECONDS = 3600;

async function encodedBytes(source: EncodedImage, options: ReadImageOptions): Promise<Uint8Array> {
  const { signal } = options;
  signal?.throwIfAborted();
  const bytes = readBytes(source);
  if (bytes) return bytes;
  if (source instanceof Blob) {
    // a blob may be a file that is not read yet
    const { maxBytes = PICTURE_FILE.maxBytes.file } = options.limits ?? {};
    if (source.size <= maxBytes) return new Uint8Array(await source.arrayBuffer());
    throw new ImageError(`picture: expected at most ${maxBytes} bytes (maxBytes), got ${source.size}`);
  }
  if (typeof source === 'string' || source instanceof URL) return readSource(source, PICTURE_FILE, options);
  throw new TypeError(`readImage: expected a path, URL, Uint8Array, ArrayBuffer or Blob, got ${classNameOf(source)}`);
}

/** Rejects with `signal.reason` as soon as it comes, whatever the work goes on with. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  // it may fail when nobody waits for it any more
  work.catch(() => {});
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function explain(error: unknown, kind: string, timeout: number): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  if (line.startsWith('timeout')) return `${kind} that is not decoded within ${timeout / 1000} s (timeout)`;
  return `${kind} is damaged or cut short (${line}); fetch or export it again`;
}

const DECODABLE: readonly string[] = ['JPEG', 'PNG', 'WebP', 'AVIF', 'GIF', 'TIFF'];

const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\xff\xd8\xff/, 'JPEG'],
  [/^\x89PNG/, 'PNG'],
  [/^GIF8/, 'GIF'],
  [/^RIFF....WEBP/s, 'WebP'],
  // among the compatible brands, too: a general one may come first
  [/^....ftyp(....)*?(avif|avis)/s, 'AVIF'],
  [/^....ftyp(hei[cx]|hev[cx]|mif1|msf1)/s, 'HEIC'],
  [/^....ftyp/s, 'a video'],
  [/^(II[*+]\0|MM\0[*+])/, 'TIFF'],
  [/^BM/, 'BMP'],
  [/^%PDF/, 'PDF'],
  [/^version https:\/\/git-lfs/, 'a Git LFS pointer (git lfs pull fetches the picture)'],
  [/^\s*<(!doctype html|html)/i, 'an HTML page'],
  [/^(\xef\xbb\xbf)?\s*<(\?xml|!doctype svg|svg)/i, 'SVG or other XML'],
  [/^[\t\n\r\x20-\x7e\x80-\xff]+$/, 'text'],
];

function kindOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString('latin1');
  return SIGNATURES.find(([pattern]) => pattern.test(head))?.[1] ?? 'unknown data';
}
