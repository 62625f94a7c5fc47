import { classNameOf } from '../common/class-name.ts';
import { ImageError } from '../common/errors.ts';
import type { OpenedImage } from '../common/image.ts';
import { UNIFORM_ALIGNMENT } from '../kernels/dispatch.ts';
import { importFrame } from '../kernels/video/import-frame.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import type { ImageLayout } from './image-layout.ts';

type Frame = VideoFrame | HTMLVideoElement;

/** An image that is a frame of a video, in the browser's hands. */
type VideoImage = Extract<OpenedImage, { kind: 'source' }>;

/**
 * Puts a frame into the buffer of images by what comes next in `encoder`, which is to be submitted before the task ends: a video's
 * frame is the browser's again by then.
 */
type ImportFrame = (encoder: GPUCommandEncoder, buffer: GPUBuffer) => void;

/** Reads video frames where the browser has them, which is less work for the GPU than a copy to a texture and one from there. */
export class FrameImporter {
  readonly #context: GpuContext;
  /** Whether the browser imports objects of a class, of those that came. */
  readonly #imported = new Map<string, boolean>();
  /** The parameters of every frame of a run, and what was last written there. */
  #params: GPUBuffer | null = null;
  #written = '';

  constructor(context: GpuContext) {
    this.#context = context;
  }

  /**
   * @param videos null for images that are none
   * @returns for each image how it is imported, which throws where the browser gives no pixels; null for what is to be copied
   * @throws DeviceError, ImageError for a frame larger than a texture
   */
  async prepare(
    videos: readonly (VideoImage | null)[],
    layouts: readonly ImageLayout[],
  ): Promise<readonly (ImportFrame | null)[]> {
    const { device } = this.#context;
    const launches = videos.map((video, i) => {
      const frame = video && this.#importable(video, layouts[i]!);
      return frame && { frame, dispatch: importFrame(layouts[i]!) };
    });
    const first = launches.find((launch) => launch !== null);
    if (!first) return launches.map(() => null);
    const { kernel, source, overrides } = first.dispatch;
    const pipeline = await this.#context.pipeline(kernel, source, overrides);
    const params = await this.#writeParams(launches.map((launch) => launch?.dispatch.params));
    return launches.map((launch, i) => {
      if (!launch) return null;
      const { frame, dispatch } = launch;
      const parameters = { buffer: params, offset: i * UNIFORM_ALIGNMENT, size: dispatch.params.length };
      return (encoder, buffer) => {
        const resources = [parameters, device.importExternalTexture({ source: frame }), { buffer }];
        const entries = resources.map((resource, binding) => ({ binding, resource }));
        const layout = pipeline.getBindGroupLayout(0);
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, device.createBindGroup({ label: kernel, layout, entries }));
        pass.dispatchWorkgroups(...dispatch.workgroups);
        pass.end();
      };
    });
  }

  /** The frame of a video where it can be imported, else null. @throws ImageError for a frame that no copy could take in either */
  #importable(video: VideoImage, { sampled }: ImageLayout): Frame | null {
    const { device } = this.#context;
    const most = device.limits.maxTextureDimension2D;
    const { width, height } = video;
    if (Math.max(width, height) > most) {
      // browsers make one texture of it, whatever part is copied
      throw new ImageError(
        `image: expected a video frame of at most ${most} pixels a side, got one of ${width}×${height}`,
      );
    }
    // parts are copied from a texture
    if (sampled) return null;
    const source = video.source as Frame;
    const name = classNameOf(source);
    if (!this.#imported.has(name)) {
      try {
        device.importExternalTexture({ source });
        this.#imported.set(name, true);
      } catch (error) {
        // another error is this frame's own, such as that it has been closed: copying tells the caller
        if (error instanceof TypeError) this.#imported.set(name, false);
        return null;
      }
    }
    return this.#imported.get(name) ? source : null;
  }

  /** @param params of each frame, nothing for what is none */
  async #writeParams(params: readonly (Uint8Array | undefined)[]): Promise<GPUBuffer> {
    const { device } = this.#context;
    const contents = new Uint8Array(params.length * UNIFORM_ALIGNMENT);
    params.forEach((each = new Uint8Array(), i) => {
      contents.set(each, i * UNIFORM_ALIGNMENT);
    });
    if (!this.#params || this.#params.size < contents.length) {
      this.dispose();
      const usage = BufferUsage.UNIFORM | BufferUsage.COPY_DST;
      this.#params = await this.#context.allocate('uploading', (own) =>
        own(device.createBuffer({ label: 'frame params', size: contents.length, usage })),
      );
    }
    const wanted = params.join(';');
    if (wanted !== this.#written) device.queue.writeBuffer(this.#params, 0, contents);
    this.#written = wanted;
    return this.#params;
  }

  dispose(): void {
    this.#params?.destroy();
    this.#params = null;
    this.#written = '';
  }
}
