import type { OpenedImage } from '../common/image.ts';
import { TextureUsage } from '../runtime/gpu-flags.ts';
import { BLUE_FIRST_FORMATS } from './image-layout.ts';

const FORMATS: readonly string[] = ['rgba8unorm', 'rgba8unorm-srgb', ...BLUE_FIRST_FORMATS];

/** @throws TypeError for a texture that cannot be read as bytes */
export function openTexture(texture: GPUTexture): OpenedImage {
  const { format, usage, dimension, sampleCount, width, height } = texture;
  if (!FORMATS.includes(format)) {
    throw new TypeError(`image: expected a texture of format ${FORMATS.join(', ')}, got ${format}`);
  }
  if (dimension !== '2d' || sampleCount !== 1) {
    throw new TypeError(`image: expected a 2d texture of one sample, got ${dimension}, ${sampleCount} samples`);
  }
  if (!(usage & TextureUsage.COPY_SRC)) throw new TypeError('image: expected a texture with usage COPY_SRC');
  return { kind: 'texture', texture, width, height };
}
