import type { Face } from '../common/face.ts';
import { FACES_HEADER_BYTES } from '../kernels/detection/nms.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import type { PollPacer } from '../runtime/poll-pacer.ts';
import type { OnPhaseEnd } from '../runtime/run-phases.ts';

/** Faces of an image that are read at once; a crowd takes a second look. */
const FIRST_FACES = 64;

/** What the faces of a batch look like on the GPU: see `nms.ts`. */
export interface FacesSpec {
  readonly batch: number;
  /** Of one image, from one image to the next. */
  readonly imageBytes: number;
  /** Of one face. */
  readonly recordBytes: number;
  /** Points of a face, 0 for boxes alone. */
  readonly keypoints: number;
}

/** Brings faces to the CPU. Runs may overlap: each has a staging buffer to itself. */
export class FaceReader {
  readonly #context: GpuContext;
  readonly #spec: FacesSpec;
  readonly #staging: GPUBuffer[] = [];
  readonly #free: GPUBuffer[] = [];

  constructor(context: GpuContext, spec: FacesSpec) {
    this.#context = context;
    this.#spec = spec;
  }

  /** A buffer for one `read`. @throws DeviceError when there is no memory for it */
  async takeStaging(): Promise<GPUBuffer> {
    const free = this.#free.pop();
    if (free) return free;
    const staging = await this.#context.allocate('reading faces', (own) =>
      own(
        this.#context.device.createBuffer({
          label: 'read-back',
          size: this.#spec.batch * this.#spec.imageBytes,
          usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
        }),
      ),
    );
    this.#staging.push(staging);
    return staging;
  }

  /** Gives it back, unmapped. */
  giveStaging(staging: GPUBuffer): void {
    this.#free.push(staging);
  }

  /**
   * Submits the commands, one part after the other, then reads the faces of each image, within a scope of the caller's. What is submitted
   * later does not disturb them.
   */
  async read(
    staging: GPUBuffer,
    commands: readonly (readonly GPUCommandBuffer[])[],
    faces: GPUBuffer,
    pacer: PollPacer,
    onPhaseEnd?: OnPhaseEnd,
  ): Promise<Face[][]> {
    const encoder = this.#context.device.createCommandEncoder();
    const { batch, imageBytes, recordBytes } = this.#spec;
    const first = Math.min(FACES_HEADER_BYTES + FIRST_FACES * recordBytes, imageBytes);
    const rest = imageBytes - first;
    const images = Array.from({ length: batch }, (_, n) => n * imageBytes);
    const restAt = (n: number) => batch * first + n * rest;
    if (rest > 0) {
      images.forEach((offset, n) => {
        encoder.copyBufferToBuffer(faces, offset + first, staging, restAt(n), rest);
      });
    }
    const parts = images.map((offset) => ({ buffer: faces, offset, bytes: first }));
    const heads = await this.#context.readWithin(encoder, staging, parts, { pacer, before: commands, onPhaseEnd });
    const result: Face[][] = [];
    for (const [n, head] of heads.entries()) {
      const values = new Float32Array(head);
      const count = values[0]!;
      const found = this.#readFaces(values.subarray(FACES_HEADER_BYTES / 4), Math.min(count, FIRST_FACES));
      if (count > FIRST_FACES) {
        const bytes = (count - FIRST_FACES) * recordBytes;
        found.push(...this.#readFaces(await this.#map(staging, restAt(n), bytes), count - FIRST_FACES));
      }
      result.push(found);
    }
    onPhaseEnd?.('readBack');
    return result;
  }

  async #map(staging: GPUBuffer, offset: number, bytes: number): Promise<Float32Array> {
    await this.#context.map(staging, offset, bytes);
    const copy = staging.getMappedRange(offset, bytes).slice(0);
    staging.unmap();
    return new Float32Array(copy);
  }

  #readFaces(records: Float32Array, count: number): Face[] {
    const { recordBytes, keypoints } = this.#spec;
    const floats = recordBytes / 4;
    return Array.from({ length: count }, (_, i): Face => {
      const [x1, y1, x2, y2, score, ...points] = records.subarray(i * floats, (i + 1) * floats);
      const face = { box: [x1!, y1!, x2!, y2!] as const, score: score! };
      if (keypoints === 0) return face;
      return {
        ...face,
        keypoints: Array.from({ length: keypoints }, (_, k) => [points[2 * k]!, points[2 * k + 1]!] as const),
      };
    });
  }

  dispose(): void {
    for (const staging of this.#staging) staging.destroy();
  }
}
