import { steadyBytes } from './caller-memory.ts';
import { classNameOf } from './class-name.ts';

/** Decoded pixels, rows top to bottom, no padding between rows. */
export interface Pixels {
  /** `width * height * channels` bytes: RGB or RGBA. Alpha is ignored. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

/** Pixels that need not say how many channels they have, which their length tells: a page's `ImageData`, and what is made like it. */
export interface ImageDataLike extends Omit<Pixels, 'channels'> {
  readonly channels?: 3 | 4;
}

/** What WebGPU copies to a texture by itself. */
export type TextureSource = ImageBitmap | HTMLCanvasElement | OffscreenCanvas | HTMLVideoElement | VideoFrame;

/** An image that is ready to go to the GPU, or is there already. */
export type OpenedImage =
  | ({ readonly kind: 'pixels' } & Pixels)
  | {
      readonly kind: 'source';
      readonly source: TextureSource;
      readonly width: number;
      readonly height: number;
      /** Frees what was opened for this image; nothing for what the caller owns. */
      close(): void;
    }
  | { readonly kind: 'texture'; readonly texture: GPUTexture; readonly width: number; readonly height: number };

/**
 * Pixels, encoded bytes, a path or a URL; in browsers also what a page has pictures in; and a texture of the detector's
 * own device, with usage COPY_SRC, in one of the formats rgba8unorm and bgra8unorm.
 */
export type ImageInput =
  | ImageDataLike
  | Uint8Array
  | ArrayBuffer
  | string
  | URL
  | Blob
  | ImageData
  | HTMLImageElement
  | TextureSource
  | GPUTexture;

export function isPixels(image: unknown): image is ImageDataLike {
  return /^(Object|ImageData)$/.test(classNameOf(image)) && 'data' in (image as object) && 'width' in (image as object);
}

/** @throws RangeError or TypeError for a wrong size, number of channels or type */
export function checkPixels({ data, width, height, channels: told }: ImageDataLike): Pixels {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new RangeError(`image: expected a width and height of at least 1 pixel, got ${width}×${height}`);
  }
  if (!['Uint8Array', 'Uint8ClampedArray'].includes(classNameOf(data))) {
    throw new TypeError('image: expected data to be a Uint8Array or Uint8ClampedArray');
  }
  const channels = told ?? data.length / (width * height);
  if (channels !== 3 && channels !== 4) {
    const got = told ?? `${data.length} bytes for ${width}×${height}`;
    throw new RangeError(`image: expected 3 or 4 channels, got ${got}`);
  }
  const expected = width * height * channels;
  if (data.length !== expected) {
    throw new RangeError(`image: expected ${expected} bytes for ${width}×${height}×${channels}, got ${data.length}`);
  }
  return { data, width, height, channels };
}

/** The same pixels in memory that stays. @throws RangeError or TypeError for a wrong size, number of channels or type */
export function steadyPixels(image: ImageDataLike): Pixels {
  const pixels = checkPixels(image);
  return { ...pixels, data: steadyBytes(pixels.data) };
}

/** RGBA → RGB. */
export function dropAlpha(rgba: Pixels['data']): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from]!;
    rgb[to++] = rgba[from + 1]!;
    rgb[to++] = rgba[from + 2]!;
  }
  return rgb;
}
