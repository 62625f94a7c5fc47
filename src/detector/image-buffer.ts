import { assertKept } from '../common/caller-memory.ts';
import { ImageError } from '../common/errors.ts';
import type { ImageSize } from '../common/geometry.ts';
import type { OpenedImage, TextureSource } from '../common/image.ts';
import type { ImageParams } from '../kernels/detection/image-params.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage, TextureUsage } from '../runtime/gpu-flags.ts';
import { type Upload, UploadRing } from '../runtime/upload-ring.ts';
import type { Sampled } from './sampled.ts';

/** Where an image lies in the buffer. */
export interface ImageLayout
  extends Pick<ImageParams, 'width' | 'height' | 'channels' | 'rowBytes' | 'blueFirst' | 'firstWord'> {
  /** What of the image is there; all of it unless given. */
  readonly sampled?: Sampled;
}

/** A part of an image, in pixels. */
interface Tile extends ImageSize {
  readonly x: number;
  readonly y: number;
}

/** Images for which there is room. */
interface PendingImages {
  readonly layouts: readonly ImageLayout[];
  /**
   * Brings them there, within a scope of the caller's.
   * @returns whether WebGPU took what it has a scope of its own for
   * @throws TypeError for pixels that are gone, ImageError for a source that gives none
   */
  put(): Promise<void>;
}

/** WebGPU's alignment of rows in copies between textures and buffers. */
const ROW_ALIGNMENT = 256;

/** Below, `queue.writeBuffer` is as fast, and simpler for the GPU: 10 GB/s on an NVIDIA H200, of larger ones 3 GB/s against 13. */
const RING_BYTES = 2 ** 21;

const BLUE_FIRST_FORMATS: readonly string[] = ['bgra8unorm', 'bgra8unorm-srgb'];
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

/** The images under way, as bytes in one buffer that grows and never shrinks. */
export class ImageBuffer {
  readonly #context: GpuContext;
  /**
   * How bytes come into the buffer; null where WebGPU's own way is the faster one. Where the CPU does the GPU's work, the
   * copy on the GPU is one more on the CPU: Mesa's lavapipe takes 12 GB/s by `queue.writeBuffer` and 5 GB/s by the ring.
   */
  readonly #ring: UploadRing | null;
  #buffer: GPUBuffer | null = null;
  #texture: GPUTexture | null = null;

  /** @param inFlight runs under way at a time */
  constructor(context: GpuContext, inFlight: number) {
    this.#context = context;
    this.#ring = context.traits.software ? null : new UploadRing(context, inFlight + 1);
  }

  /** The buffer of the last `write`. */
  get buffer(): GPUBuffer {
    return this.#buffer!;
  }

  /**
   * Makes room for images one behind the other, for what comes next in `encoder`, which is to be submitted before the next write.
   * @param sample what must be there of an image; only that is, where the device cannot bind all of them
   * @throws DeviceError when they are more than the device can bind or has memory for, TypeError for pixels that are gone
   */
  async write(
    images: readonly OpenedImage[],
    encoder: GPUCommandEncoder,
    sample: (image: ImageSize) => Promise<Sampled>,
  ): Promise<PendingImages> {
    const whole = layOut(images);
    const { layouts, bytes } =
      whole.bytes <= this.#context.maxBinding ? whole : layOut(images, await Promise.all(images.map(sample)));
    const buffer = await this.#reserve(bytes, images.length);
    const texture = await this.#reserveTexture(images.filter(({ kind }) => kind === 'source'));
    const uploads = () =>
      images.flatMap((image, i): Upload[] => {
        if (image.kind !== 'pixels') return [];
        assertKept(image.data, image.width * image.height * image.channels);
        const { firstWord, sampled } = layouts[i]!;
        return [{ offset: firstWord * 4, data: sampled?.pixels(image) ?? image.data }];
      });
    const mapped = this.#ring && bytes >= RING_BYTES;
    if (mapped) await this.#ring.write(encoder, buffer, uploads());
    return {
      layouts,
      put: () => {
        if (!mapped) for (const upload of uploads()) this.#writeBytes(buffer, upload);
        if (images.every(({ kind }) => kind === 'pixels')) return Promise.resolve();
        const copied = this.#context.scoped('reading the picture', () => {
          images.forEach((image, i) => {
            if (image.kind === 'texture') this.#copy(buffer, layouts[i]!, image.texture);
            if (image.kind === 'source') this.#copySource(buffer, layouts[i]!, image.source, texture!);
          });
        });
        return copied.checked;
      },
    };
  }

  async #reserve(bytes: number, count: number): Promise<GPUBuffer> {
    if (this.#buffer && this.#buffer.size >= bytes) return this.#buffer;
    this.#context.assertBindable(bytes, count === 1 ? 'the picture' : `the batch of ${count} pictures`);
    this.#buffer?.destroy();
    this.#buffer = null;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    this.#buffer = await this.#context.allocate('uploading', (own) =>
      own(this.#context.device.createBuffer({ label: 'pixels', size: bytes, usage })),
    );
    return this.#buffer;
  }

  #writeBytes(buffer: GPUBuffer, { offset, data }: Upload): void {
    const { queue } = this.#context.device;
    // WebGPU writes whole words; the last bytes go in one of their own
    const whole = data.length - (data.length % 4);
    queue.writeBuffer(buffer, offset, data as Uint8Array<ArrayBuffer>, 0, whole);
    if (whole === data.length) return;
    const rest = new Uint8Array(4);
    rest.set(data.subarray(whole));
    queue.writeBuffer(buffer, offset + whole, rest);
  }

  #copy(
    buffer: GPUBuffer,
    { width, height, rowBytes, firstWord, sampled }: ImageLayout,
    texture: GPUTexture,
    tile: Tile = { x: 0, y: 0, width, height },
  ): void {
    const { device } = this.#context;
    const encoder = device.createCommandEncoder();
    const runs = sampled?.runs() ?? [{ from: 0, to: 0, count: height }];
    for (const { from, to, count } of runs) {
      const first = Math.max(from, tile.y);
      const rows = Math.min(from + count, tile.y + tile.height) - first;
      if (rows <= 0) continue;
      const offset = firstWord * 4 + (to + first - from) * rowBytes + tile.x * 4;
      const origin = { x: 0, y: first - tile.y };
      encoder.copyTextureToBuffer({ texture, origin }, { buffer, offset, bytesPerRow: rowBytes }, [tile.width, rows]);
    }
    device.queue.submit([encoder.finish()]);
  }

  /**
   * By way of a texture, because sources go nowhere else; the letterbox then reads all images the same way. In tiles where
   * the source is larger than a texture may be.
   */
  #copySource(buffer: GPUBuffer, layout: ImageLayout, source: TextureSource, texture: GPUTexture): void {
    const { queue } = this.#context.device;
    for (let y = 0; y < layout.height; y += texture.height) {
      for (let x = 0; x < layout.width; x += texture.width) {
        const width = Math.min(texture.width, layout.width - x);
        const height = Math.min(texture.height, layout.height - y);
        try {
          queue.copyExternalImageToTexture({ source, origin: [x, y] }, { texture }, [width, height]);
        } catch (cause) {
          throw new ImageError(`the browser gives no pixels of the picture: ${(cause as Error).message}`, { cause });
        }
        this.#copy(buffer, layout, texture, { x, y, width, height });
      }
    }
  }

  /** One that holds each of these, or as much of it as a texture may. @returns null for none */
  async #reserveTexture(images: readonly ImageSize[]): Promise<GPUTexture | null> {
    if (images.length === 0) return null;
    const { device } = this.#context;
    const present = this.#texture;
    const side = (name: 'width' | 'height') =>
      Math.min(Math.max(...images.map((image) => image[name])), device.limits.maxTextureDimension2D);
    const [width, height] = [side('width'), side('height')];
    if (present && present.width >= width && present.height >= height) return present;
    present?.destroy();
    this.#texture = null;
    this.#texture = await this.#context.allocate('uploading', (own) =>
      own(
        device.createTexture({
          label: 'picture',
          size: [Math.max(width, present?.width ?? 0), Math.max(height, present?.height ?? 0)],
          format: 'rgba8unorm',
          usage: TextureUsage.COPY_SRC | TextureUsage.COPY_DST | TextureUsage.RENDER_ATTACHMENT,
        }),
      ),
    );
    return this.#texture;
  }

  dispose(): void {
    this.#ring?.dispose();
    this.#buffer?.destroy();
    this.#texture?.destroy();
  }
}
