import { classNameOf } from './class-name.ts';

/** Decoded pixels, rows top to bottom, no padding between rows. */
export interface Pixels {
  /** `width * height * channels` bytes: RGB or RGBA. Alpha is ignored. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
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
  | Pixels
  | Uint8Array
  | ArrayBuffer
  | string
  | URL
  | Blob
  | ImageData
  | HTMLImageElement
  | TextureSource
  | GPUTexture;

export function isPixels(image: unknown): image is Pixels {
  return classNameOf(image) === 'Object' && 'data' in (image as object) && 'width' in (image as object);
}

/** @throws RangeError or TypeError for a wrong size, number of channels or type */
export function assertPixels({ data, width, height, channels }: Pixels): void {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new RangeError(`image: expected a width and height of at least 1 pixel, got ${width}×${height}`);
  }
  if (channels !== 3 && channels !== 4) throw new RangeError(`image: expected 3 or 4 channels, got ${channels}`);
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    throw new TypeError('image: expected data to be a Uint8Array or Uint8ClampedArray');
  }
  const expected = width * height * channels;
  if (data.length !== expected) {
    throw new RangeError(`image: expected ${expected} bytes for ${width}×${height}×${channels}, got ${data.length}`);
  }
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
