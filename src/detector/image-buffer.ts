import { assertKept } from '../common/caller-memory.ts';
import { classNameOf } from '../common/class-name.ts';
import { ImageError } from '../common/errors.ts';
import type { ImageSize } from '../common/geometry.ts';
import type { OpenedImage, TextureSource } from '../common/image.ts';
import { loadPart } from '../common/load-part.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage, TextureUsage } from '../runtime/gpu-flags.ts';
import { type Upload, UploadRing } from '../runtime/upload-ring.ts';
import type { FrameImporter } from './frame-importer.ts';
import { type ImageLayout, layOut } from './image-layout.ts';
import type { Sampled } from './sampled.ts';

/** A part of an image, in pixels. */
interface Tile extends ImageSize {
  readonly x: number;
  readonly y: number;
}

/** Images for which there is room. */
interface PendingImages {
  readonly layouts: readonly ImageLayout[];
  /**
   * Brings them there, within a scope of the caller's, who submits `encoder` in the same task.
   * @returns whether WebGPU took what it has a scope of its own for
   * @throws TypeError for pixels that are gone, ImageError for a source that gives none
   */
  put(): Promise<void>;
}

/** Below, `queue.writeBuffer` is as fast, and simpler for the GPU: 10 GB/s on an NVIDIA H200, of larger ones 3 GB/s against 13. */
const RING_BYTES = 2 ** 21;

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
  #importer: FrameImporter | null = null;

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
    const imports = await this.#imports(images, layouts);
    const texture = await this.#reserveTexture(images.filter(({ kind }, i) => kind === 'source' && !imports[i]));
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
            if (image.kind !== 'source') return;
            try {
              if (imports[i]) imports[i](encoder, buffer);
              else this.#copySource(buffer, layouts[i]!, image.source, texture!);
            } catch (cause) {
              const { message } = cause as Error;
              throw new ImageError(`the browser gives no pixels of the picture: ${message}`, { cause });
            }
          });
        });
        return copied.checked;
      },
    };
  }

  /** How to take in the images that are video frames and need no copy; nothing for the others. */
  async #imports(images: readonly OpenedImage[], layouts: readonly ImageLayout[]) {
    const videos = images.map((image) =>
      image.kind === 'source' && classNameOf(image.source).includes('Video') ? image : null,
    );
    if (!videos.some(Boolean)) return [];
    // pages load what few need when it is needed
    const { FrameImporter } = await loadPart(() => import('./frame-importer.ts'));
    this.#importer ??= new FrameImporter(this.#context);
    return this.#importer.prepare(videos, layouts);
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
        queue.copyExternalImageToTexture({ source, origin: [x, y] }, { texture }, [width, height]);
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
    this.#importer?.dispose();
  }
}
