import type { Face } from '../common/face.ts';
import { FACES_HEADER_BYTES } from '../kernels/detection/nms.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import type { PollPacer } from '../runtime/poll-pacer.ts';
import type { OnPhaseEnd } from '../runtime/run-phases.ts';

/** Faces of an image that are read at once: all that there could be are 0.8 MB at 640×480. A crowd takes a second look. */
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

/** What one run's faces are kept in until they are read: the next run writes over where they were. */
export interface FaceStaging {
  /** Mappable: the first faces of each image, then all others of one. */
  readonly mappable: GPUBuffer;
  /** All others of each image, on the GPU. */
  readonly rest: GPUBuffer;
}

/** Brings faces to the CPU. Runs may overlap: each has a staging to itself. */
export class FaceReader {
  readonly #context: GpuContext;
  readonly #spec: FacesSpec;
  /** Bytes of an image's first faces, and of all others that it could have. */
  readonly #first: number;
  readonly #rest: number;
  readonly #stagings: FaceStaging[] = [];
  readonly #free: FaceStaging[] = [];

  constructor(context: GpuContext, spec: FacesSpec) {
    this.#context = context;
    this.#spec = spec;
    this.#first = Math.min(FACES_HEADER_BYTES + FIRST_FACES * spec.recordBytes, spec.imageBytes);
    this.#rest = spec.imageBytes - this.#first;
  }

  /** For one `read`. @throws DeviceError when there is no memory for it */
  async takeStaging(): Promise<FaceStaging> {
    const free = this.#free.pop();
    if (free) return free;
    const { batch } = this.#spec;
    const { COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
    const staging = await this.#context.allocate('reading faces', (own) => {
      const make = (label: string, size: number, usage: number) =>
        own(this.#context.device.createBuffer({ label, size, usage: usage | COPY_DST }));
      return {
        mappable: make('read-back', Math.max(batch * this.#first, this.#rest), MAP_READ),
        rest: make('other faces', batch * this.#rest, COPY_SRC),
      };
    });
    this.#stagings.push(staging);
    return staging;
  }

  /** Gives it back, unmapped. */
  giveStaging(staging: FaceStaging): void {
    this.#free.push(staging);
  }

  /**
   * Submits the commands, one part after the other, then reads the faces of each image, within a scope of the caller's. What is submitted
   * later does not disturb them.
   */
  async read(
    staging: FaceStaging,
    commands: readonly (readonly GPUCommandBuffer[])[],
    faces: GPUBuffer,
    pacer: PollPacer,
    onPhaseEnd?: OnPhaseEnd,
  ): Promise<Face[][]> {
    const { device } = this.#context;
    const encoder = device.createCommandEncoder();
    const { batch, imageBytes, recordBytes } = this.#spec;
    const [first, rest] = [this.#first, this.#rest];
    const images = Array.from({ length: batch }, (_, n) => n * imageBytes);
    images.forEach((offset, n) => {
      encoder.copyBufferToBuffer(faces, offset + first, staging.rest, n * rest, rest);
    });
    const parts = images.map((offset) => ({ buffer: faces, offset, bytes: first }));
    const options = { pacer, before: commands, onPhaseEnd };
    const heads = await this.#context.read(encoder, staging.mappable, parts, options);
    const result: Face[][] = [];
    for (const [n, head] of heads.entries()) {
      const values = new Float32Array(head);
      const count = values[0]!;
      const found = this.#readFaces(values.subarray(FACES_HEADER_BYTES / 4), Math.min(count, FIRST_FACES));
      if (count > FIRST_FACES) {
        const others = count - FIRST_FACES;
        const part = { buffer: staging.rest, offset: n * rest, bytes: others * recordBytes };
        // the caller's scope has closed
        const { result: second, checked } = this.#context.scoped('reading faces', () => ({
          copies: this.#context.read(device.createCommandEncoder(), staging.mappable, [part]),
        }));
        const [copy] = await second.copies;
        await checked;
        found.push(...this.#readFaces(new Float32Array(copy!), others));
      }
      result.push(found);
    }
    onPhaseEnd?.('readBack');
    return result;
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
    for (const { mappable, rest } of this.#stagings) {
      mappable.destroy();
      rest.destroy();
    }
  }
}
