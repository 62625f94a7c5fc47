import { classNameOf } from '../common/class-name.ts';
import { ImageError, ModelError } from '../common/errors.ts';
import type { OpenedImage, TextureSource } from '../common/image.ts';
import { DownloadError, downloadBytes } from '../models/download.ts';
import { findModel } from '../models/registry.ts';
import type { LoadOptions, ModelSource, Platform } from '../runtime/platform.ts';
import { fetchModel } from './model-cache.ts';
import { cachedKeepsakes } from './tuning-store.ts';
import { openFrames } from './video-frames.ts';

/** Browsers: their own WebGPU, models by fetch and Cache API, pictures by the browser's decoders. */
export const browserPlatform: Platform = {
  yieldCore: null,
  tuningStore: cachedKeepsakes,
  async requestAdapter() {
    const gpu = globalThis.navigator?.gpu;
    return gpu ? gpu.requestAdapter({ powerPreference: 'high-performance' }) : null;
  },
  adapterHelp,
  readModel,
  openImage,
  openFrames,
};

/** What keeps WebGPU from this page. */
function adapterHelp(): string {
  if (globalThis.isSecureContext === false) {
    return 'WebGPU needs a secure context: serve the page by https or from localhost.';
  }
  const browsers = 'Chrome and Edge 113 or newer (Linux: 144), Safari 26, and Firefox 141 on Windows and 145 on macOS';
  return globalThis.navigator?.gpu
    ? 'This browser has WebGPU, but no GPU that it allows it on: check its hardware acceleration and driver.'
    : `This browser has no WebGPU. It is in ${browsers}.`;
}

/** A known name is a model, anything else a URL relative to the page. */
async function readModel(source: string | URL, options: LoadOptions): Promise<ModelSource> {
  const { signal, onProgress } = options;
  if (typeof source === 'string' && findModel(source)) {
    return { bytes: await fetchModel(source, { ...(signal && { signal }), ...(onProgress && { onProgress }) }) };
  }
  const url = new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href);
  const fetchFile = async (file: URL) => {
    try {
      return await downloadBytes(file.href, options);
    } catch (error) {
      if (!(error instanceof DownloadError)) throw error;
      throw new ModelError(`${file.href}: ${error.message}`, { cause: error });
    }
  };
  return {
    bytes: await fetchFile(url),
    readExternal: (location) => fetchFile(new URL(location.split('/').map(encodeURIComponent).join('/'), url)),
  };
}

const CLOSE_NOTHING = () => {};

/** Pixels as they are in the file: profiles are not applied, alpha is not multiplied in. As Node's decoder does it. */
export const DECODING: ImageBitmapOptions = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };

async function openImage(source: unknown, signal: AbortSignal | undefined): Promise<OpenedImage> {
  const borrowed = (picture: TextureSource, width: number, height: number): OpenedImage => {
    if (width > 0 && height > 0) return { kind: 'source', source: picture, width, height, close: CLOSE_NOTHING };
    throw new ImageError(`image: expected a ${classNameOf(source)} with pixels, got one of ${width}×${height}`);
  };
  switch (classNameOf(source)) {
    case 'ImageBitmap':
    case 'HTMLCanvasElement':
    case 'OffscreenCanvas': {
      const canvas = source as ImageBitmap | HTMLCanvasElement | OffscreenCanvas;
      return borrowed(canvas, canvas.width, canvas.height);
    }
    case 'HTMLVideoElement': {
      const video = source as HTMLVideoElement;
      if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
        throw new ImageError('image: expected a video that has a frame to show, got one that is still loading');
      }
      return borrowed(video, video.videoWidth, video.videoHeight);
    }
    case 'VideoFrame': {
      const frame = source as VideoFrame;
      return borrowed(frame, frame.displayWidth, frame.displayHeight);
    }
    case 'ImageData': {
      const { data, width, height } = source as ImageData;
      return { kind: 'pixels', data: data as Uint8ClampedArray, width, height, channels: 4 };
    }
    case 'HTMLImageElement': {
      const image = source as HTMLImageElement;
      await image.decode().catch((cause: unknown) => {
        throw new ImageError(`${image.currentSrc || 'image'}: the browser cannot decode it`, { cause });
      });
      return openBitmap(image, image.currentSrc || 'image');
    }
    case 'Blob':
    case 'File':
      return openBitmap(source as Blob, source instanceof File ? source.name : 'picture');
    case 'Uint8Array':
    case 'ArrayBuffer':
      return openBitmap(new Blob([source as Uint8Array<ArrayBuffer> | ArrayBuffer]), 'picture');
    case 'String':
    case 'URL':
      return openBitmap(await fetchPicture(source as string | URL, signal), String(source));
    default:
      throw new TypeError(
        `image: expected pixels, an image, canvas, video, frame, blob, URL or texture, got ${classNameOf(source)}`,
      );
  }
}

async function fetchPicture(source: string | URL, signal: AbortSignal | undefined): Promise<Blob> {
  try {
    const response = await fetch(source, signal ? { signal } : {});
    if (!response.ok) throw new Error(`expected HTTP 200, got ${response.status}`);
    return await response.blob();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ImageError(`${String(source)}: ${(cause as Error).message}`, { cause });
  }
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
