import { assertKept } from '../common/caller-memory.ts';
import { ImageError } from '../common/errors.ts';
import type { ImageSize } from '../common/geometry.ts';
import type { OpenedImage } from '../common/image.ts';
import type { ImageParams } from '../kernels/detection/image-params.ts';
import type { GpuContext, Scoped } from '../runtime/gpu-context.ts';
import { BufferUsage, TextureUsage } from '../runtime/gpu-flags.ts';
import { type Upload, UploadRing } from '../runtime/upload-ring.ts';

/** Where an image lies in the buffer. */
export type ImageLayout = Pick<ImageParams, 'width' | 'height' | 'channels' | 'rowBytes' | 'blueFirst' | 'firstWord'>;

type SourceImage = Extract<OpenedImage, { kind: 'source' }>;

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

function layoutOf(picture: OpenedImage, firstWord: number): ImageLayout {
  const { width, height } = picture;
  if (picture.kind === 'pixels') {
    const { channels } = picture;
    return { width, height, channels, rowBytes: width * channels, blueFirst: false, firstWord };
  }
  const rowBytes = Math.ceil((width * 4) / ROW_ALIGNMENT) * ROW_ALIGNMENT;
  const blueFirst = picture.kind === 'texture' && BLUE_FIRST_FORMATS.includes(picture.texture.format);
  return { width, height, channels: 4, rowBytes, blueFirst, firstWord };
}

/** By way of a texture, because sources go nowhere else; the letterbox then reads all images the same way. */
function copySource({ device }: GpuContext, { source, width, height }: SourceImage, texture: GPUTexture): GPUTexture {
  try {
    device.queue.copyExternalImageToTexture({ source }, { texture }, [width, height]);
  } catch (cause) {
    throw new ImageError(`the browser gives no pixels of the picture: ${(cause as Error).message}`, { cause });
  }
  return texture;
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
   * Puts images one behind the other, for what comes next in `encoder`, which is to be submitted before the next write.
   * @throws DeviceError when they are more than the device can bind or has memory for, ImageError for a source that gives no
   * pixels, TypeError for pixels that are gone
   */
  async write(images: readonly OpenedImage[], encoder: GPUCommandEncoder): Promise<Scoped<ImageLayout[]>> {
    for (const image of images) {
      if (image.kind === 'pixels') assertKept(image.data, image.width * image.height * image.channels);
    }
    let words = 0;
    const layouts = images.map((image) => {
      const layout = layoutOf(image, words);
      words += Math.ceil((layout.rowBytes * layout.height) / 4);
      return layout;
    });
    // a pixel that straddles two words reads one word further
    const buffer = await this.#reserve((words + 1) * 4, images.length);
    const uploads = images.flatMap((image, i): Upload[] =>
      image.kind === 'pixels' ? [{ offset: layouts[i]!.firstWord * 4, data: image.data }] : [],
    );
    const texture = await this.#reserveTexture(images.filter(({ kind }) => kind === 'source'));
    const bytes = uploads.reduce((sum, { data }) => sum + data.byteLength, 0);
    const mapped = this.#ring && bytes >= RING_BYTES;
    if (mapped) await this.#ring.write(encoder, buffer, uploads);
    return this.#context.scoped('reading the picture', () => {
      images.forEach((image, i) => {
        if (image.kind === 'texture') this.#copy(buffer, layouts[i]!, image.texture);
        if (image.kind === 'source') this.#copy(buffer, layouts[i]!, copySource(this.#context, image, texture!));
      });
      if (!mapped) for (const upload of uploads) this.#writeBytes(buffer, upload);
      return layouts;
    });
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

  #copy(buffer: GPUBuffer, { width, height, rowBytes, firstWord }: ImageLayout, texture: GPUTexture): void {
    const { device } = this.#context;
    const encoder = device.createCommandEncoder();
    const target = { buffer, offset: firstWord * 4, bytesPerRow: rowBytes };
    encoder.copyTextureToBuffer({ texture }, target, [width, height]);
    device.queue.submit([encoder.finish()]);
  }

  /** One that holds each of these. @returns null for none */
  async #reserveTexture(images: readonly ImageSize[]): Promise<GPUTexture | null> {
    if (images.length === 0) return null;
    const present = this.#texture;
    const size = (['width', 'height'] as const).map((side) => Math.max(...images.map((image) => image[side])));
    const [width, height] = size as [number, number];
    if (present && present.width >= width && present.height >= height) return present;
    present?.destroy();
    this.#texture = null;
    this.#texture = await this.#context.allocate('uploading', (own) =>
      own(
        this.#context.device.createTexture({
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
