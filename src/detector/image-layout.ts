import type { OpenedImage } from '../common/image.ts';
import type { ImageParams } from '../kernels/detection/image-params.ts';
import type { Sampled } from './sampled.ts';

/** Where an image lies in the buffer. */
export interface ImageLayout
  extends Pick<ImageParams, 'width' | 'height' | 'channels' | 'rowBytes' | 'blueFirst' | 'firstWord'> {
  /** What of the image is there; all of it unless given. */
  readonly sampled?: Sampled;
}

/** WebGPU's alignment of rows in copies between textures and buffers. */
const ROW_ALIGNMENT = 256;

export const BLUE_FIRST_FORMATS: readonly string[] = ['bgra8unorm', 'bgra8unorm-srgb'];

function layoutOf(picture: OpenedImage, firstWord: number, sampled?: Sampled): ImageLayout {
  const { width, height } = picture;
  if (picture.kind === 'pixels') {
    const { channels } = picture;
    const rowBytes = (sampled?.columns?.length ?? width) * channels;
    return { width, height, channels, rowBytes, blueFirst: false, firstWord, ...(sampled && { sampled }) };
  }
  const rowBytes = Math.ceil((width * 4) / ROW_ALIGNMENT) * ROW_ALIGNMENT;
  const blueFirst = picture.kind === 'texture' && BLUE_FIRST_FORMATS.includes(picture.texture.format);
  // copies of textures take whole rows
  const rows = sampled && { sampled: sampled.wholeRows() };
  return { width, height, channels: 4, rowBytes, blueFirst, firstWord, ...rows };
}

/** Puts images one behind the other. */
export function layOut(images: readonly OpenedImage[], sampled: readonly Sampled[] = []) {
  let words = 0;
  const layouts = images.map((image, i) => {
    const layout = layoutOf(image, words, sampled[i]);
    words += Math.ceil((layout.rowBytes * (layout.sampled?.rows.length ?? layout.height)) / 4);
    return layout;
  });
  // a pixel that straddles two words reads one word further
  return { layouts, bytes: (words + 1) * 4 };
}
