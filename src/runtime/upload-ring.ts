import { assertKept } from '../common/caller-memory.ts';
import type { GpuContext } from './gpu-context.ts';
import { BufferUsage, MapMode } from './gpu-flags.ts';

/** Bytes and where in a buffer they go: a multiple of 4, in ascending order. */
export interface Upload {
  readonly offset: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A buffer that the CPU writes to and the GPU reads from, in turns. */
interface Staging {
  buffer: GPUBuffer | null;
  /** How much of it is mapped when it is ready, from the start: what the last write took. */
  bytes: number;
  /** When the GPU has given it back, mapped. */
  ready: Promise<void> | null;
}

function endOf({ offset, data }: Upload): number {
  return offset + Math.ceil(data.length / 4) * 4;
}

/**
 * Brings bytes to the GPU by one copy on the CPU: into a buffer that is mapped already. A copy on the GPU takes them to
 * their place, in the order of the commands around it. Its buffers grow and never shrink.
 *
 * On an NVIDIA H200 by Dawn, 8 MB go at 13 GB/s this way and at 3 GB/s by `queue.writeBuffer`; 1 MB at 8 and 10 GB/s.
 */
export class UploadRing {
  readonly #context: GpuContext;
  readonly #limit: number;
  /** In the order of their last writes. */
  readonly #stagings: Staging[] = [];

  /** @param limit buffers at most; a write waits for the GPU where all of them are under way */
  constructor(context: GpuContext, limit: number) {
    this.#context = context;
    this.#limit = limit;
  }

  /**
   * Takes the bytes, and records the commands that put them into `target`, to be submitted before the next write. Up to a
   * multiple of 4, any bytes follow those of each upload.
   * @throws DeviceError when the device is lost or has no memory left, TypeError for bytes that are gone
   */
  async write(encoder: GPUCommandEncoder, target: GPUBuffer, uploads: readonly Upload[]): Promise<void> {
    if (uploads.length === 0) return;
    const bytes = endOf(uploads.at(-1)!);
    const lengths = uploads.map(({ data }) => data.length);
    const buffer = await this.#take(bytes);
    uploads.forEach(({ data }, i) => {
      assertKept(data, lengths[i]!);
    });
    const mapped = new Uint8Array(buffer.getMappedRange(0, bytes));
    for (const { offset, data } of uploads) mapped.set(data, offset);
    buffer.unmap();
    let start = uploads[0]!.offset;
    uploads.forEach((upload, i) => {
      const end = endOf(upload);
      const next = uploads[i + 1]?.offset;
      // neighbours go in one copy
      if (next === end) return;
      encoder.copyBufferToBuffer(buffer, start, target, start, end - start);
      start = next!;
    });
  }

  /** The buffer whose turn it is, with so many bytes mapped. */
  async #take(bytes: number): Promise<GPUBuffer> {
    const stagings = this.#stagings;
    const last = stagings.at(-1);
    if (last) last.ready = this.#regain(last);
    const fresh = { buffer: null, bytes: 0, ready: null };
    const staging: Staging = stagings.length < this.#limit ? fresh : stagings.shift()!;
    stagings.push(staging);
    await staging.ready;
    if (!staging.buffer || staging.buffer.size < bytes) {
      this.#drop(staging);
      staging.buffer = await this.#context.allocate('uploading', (own) => {
        const usage = BufferUsage.MAP_WRITE | BufferUsage.COPY_SRC;
        return own(this.#context.device.createBuffer({ label: 'upload', size: bytes, usage }));
      });
    }
    const { buffer } = staging;
    if (staging.bytes < bytes) {
      buffer.unmap();
      await this.#context.map(buffer, 0, bytes, MapMode.WRITE);
    }
    staging.bytes = bytes;
    return buffer;
  }

  /** Maps what was written last, once the GPU has read it; no more, because browsers copy all that is mapped. */
  async #regain(staging: Staging): Promise<void> {
    const { buffer, bytes } = staging;
    // still mapped where that write failed
    buffer?.unmap();
    try {
      await buffer?.mapAsync(MapMode.WRITE, 0, bytes);
    } catch {
      // the next write makes another one, or learns that the device is lost
      this.#drop(staging);
    }
  }

  #drop(staging: Staging): void {
    staging.buffer?.destroy();
    staging.buffer = null;
    staging.bytes = 0;
  }

  dispose(): void {
    for (const staging of this.#stagings) this.#drop(staging);
  }
}
