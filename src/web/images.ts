import { readBytes } from '../common/caller-memory.ts';
import { classNameOf } from '../common/class-name.ts';
import { ImageError } from '../common/errors.ts';
import { isPixels, type OpenedImage, steadyPixels, type TextureSource } from '../common/image.ts';
import { pageUrl } from './page-url.ts';

/** An image as a worker can take it, and what is handed over for good. */
interface SentImage {
  readonly image: unknown;
  readonly transfer: readonly Transferable[];
}

/** What is done with images of one class. */
interface ImageKind<T> {
  open(image: T, signal: AbortSignal | undefined): OpenedImage | Promise<OpenedImage>;
  /** Without it, images are sent as they are. */
  send?(image: T): SentImage | Promise<SentImage>;
  /** Frees an image that was sent: bitmaps and frames are then the worker's. */
  close?(image: T): void;
}

/** Pixels as they are in the file: profiles are not applied, alpha is not multiplied in. As Node's decoder does it. */
const DECODING: ImageBitmapOptions = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };

const CLOSE_NOTHING = () => {};

/** An image that stays its owner's. */
function borrow(source: TextureSource, width: number, height: number): OpenedImage {
  if (width > 0 && height > 0) return { kind: 'source', source, width, height, close: CLOSE_NOTHING };
  throw new ImageError(`image: expected a ${classNameOf(source)} with pixels, got one of ${width}×${height}`);
}

async function openBitmap(source: Blob | HTMLImageElement, name: string): Promise<OpenedImage> {
  if (source instanceof Blob && source.size === 0) throw new ImageError(`${name}: expected a picture, got 0 bytes`);
  try {
    const bitmap = await createImageBitmap(source, DECODING);
    const { width, height } = bitmap;
    return { kind: 'source', source: bitmap, width, height, close: () => bitmap.close() };
  } catch (cause) {
    throw new ImageError(`${name}: the browser cannot decode it (${(cause as Error).message})`, { cause });
  }
}

async function openUrl(source: string | URL, signal: AbortSignal | undefined): Promise<OpenedImage> {
  return openBitmap(await fetchImage(source, signal), String(source));
}

async function fetchImage(source: string | URL, signal: AbortSignal | undefined): Promise<Blob> {
  try {
    const response = await fetch(source, signal ? { signal } : {});
    if (!response.ok) throw new Error(`expected HTTP 200, got ${response.status}`);
    return await response.blob();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ImageError(`${String(source)}: ${(cause as Error).message}`, { cause });
  }
}

/** Hands over what is made of an image. */
async function sendMade(make: () => Promise<ImageBitmap> | VideoFrame): Promise<SentImage> {
  try {
    const made = await make();
    return { image: made, transfer: [made] };
  } catch (cause) {
    throw new ImageError(`image: the browser gives no pixels of it (${(cause as Error).message})`, { cause });
  }
}

const sendBitmap = (source: ImageBitmapSource) => sendMade(() => createImageBitmap(source, DECODING));
/** A frame can be read where the browser has it, in the worker, too. */
const sendVideo = (video: HTMLVideoElement) =>
  typeof VideoFrame === 'function' ? sendMade(() => new VideoFrame(video)) : sendBitmap(video);

const openCanvas = (canvas: HTMLCanvasElement | OffscreenCanvas) => borrow(canvas, canvas.width, canvas.height);
const openBytes = (bytes: Uint8Array | ArrayBufferLike) => openBitmap(new Blob([readBytes(bytes)!]), 'picture');
const sendBytes = (bytes: Uint8Array | ArrayBufferLike): SentImage => ({ image: readBytes(bytes), transfer: [] });
const sendUrl = (url: string | URL): SentImage => ({ image: pageUrl(url).href, transfer: [] });

interface Images {
  ImageBitmap: ImageBitmap;
  VideoFrame: VideoFrame;
  HTMLCanvasElement: HTMLCanvasElement;
  OffscreenCanvas: OffscreenCanvas;
  HTMLVideoElement: HTMLVideoElement;
  HTMLImageElement: HTMLImageElement;
  Blob: Blob;
  File: File;
  Uint8Array: Uint8Array;
  ArrayBuffer: ArrayBuffer;
  SharedArrayBuffer: SharedArrayBuffer;
  String: string;
  URL: URL;
}

/** Every kind of image that a page has besides pixels, by the name of its class. */
const KINDS: { readonly [Class in keyof Images]: ImageKind<Images[Class]> } = {
  ImageBitmap: {
    open: (bitmap) => borrow(bitmap, bitmap.width, bitmap.height),
    close: (bitmap) => bitmap.close(),
  },
  VideoFrame: {
    open: (frame) => borrow(frame, frame.displayWidth, frame.displayHeight),
    close: (frame) => frame.close(),
  },
  HTMLCanvasElement: { open: openCanvas, send: sendBitmap },
  OffscreenCanvas: { open: openCanvas, send: sendBitmap },
  HTMLVideoElement: {
    open(video) {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
        return borrow(video, video.videoWidth, video.videoHeight);
      }
      throw new ImageError('image: expected a video that has a frame to show, got one that is still loading');
    },
    send: sendVideo,
  },
  HTMLImageElement: {
    async open(image) {
      const name = image.currentSrc || 'image';
      await image.decode().catch((cause: unknown) => {
        throw new ImageError(`${name}: the browser cannot decode it`, { cause });
      });
      return openBitmap(image, name);
    },
    send: sendBitmap,
  },
  Blob: { open: (blob) => openBitmap(blob, 'picture') },
  File: { open: (file) => openBitmap(file, file.name) },
  Uint8Array: { open: openBytes, send: sendBytes },
  ArrayBuffer: { open: openBytes, send: sendBytes },
  SharedArrayBuffer: { open: openBytes, send: sendBytes },
  String: { open: openUrl, send: sendUrl },
  URL: { open: openUrl, send: sendUrl },
};

function kindOf(image: unknown): ImageKind<unknown> | undefined {
  return (KINDS as Readonly<Record<string, ImageKind<unknown>>>)[classNameOf(image)];
}

/** Opens what the browser can make an image of. @throws ImageError where it cannot, TypeError for anything else */
export async function openImage(source: unknown, signal: AbortSignal | undefined): Promise<OpenedImage> {
  const kind = kindOf(source);
  if (kind) return kind.open(source, signal);
  throw new TypeError(
    `image: expected pixels, an image, canvas, video, frame, blob, URL or texture, got ${classNameOf(source)}`,
  );
}

/** @throws ImageError for an image without pixels, TypeError for a texture, which cannot leave its thread */
export async function sendImage(image: unknown): Promise<SentImage> {
  if (classNameOf(image) === 'GPUTexture') {
    throw new TypeError('image: expected something that can be sent to a worker, got a GPUTexture');
  }
  // threads that do not share memory refuse it
  if (isPixels(image)) return { image: steadyPixels(image), transfer: [] };
  return kindOf(image)?.send?.(image) ?? { image, transfer: [] };
}

/** Frees an image that came to a worker. */
export function closeImage(image: unknown): void {
  kindOf(image)?.close?.(image);
}
