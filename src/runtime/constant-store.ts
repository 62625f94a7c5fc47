import { TaskQueue } from '../common/task-queue.ts';
import type { ConstantData } from '../graph/plan.ts';
import type { GpuContext } from './gpu-context.ts';
import { BufferUsage } from './gpu-flags.ts';

interface Entry {
  readonly data: ConstantData;
  readonly buffer: GPUBuffer;
  /** Plans that hold it. */
  users: number;
}

function sameContent(a: ConstantData, b: ConstantData): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

/** A model's weights on the GPU, shared by the plans for all its input sizes. */
export class ConstantStore {
  /** Whoever acquires does so in here, and releases what was acquired when it turns out not to have been allocated. */
  readonly allocations = new TaskQueue();
  readonly #context: GpuContext;
  readonly #entries = new Map<string, Entry[]>();

  constructor(context: GpuContext) {
    this.#context = context;
  }

  /** The buffer with this content, to be released; uploads it when no plan has it. */
  acquire(key: string, data: ConstantData): GPUBuffer {
    const entries = this.#entries.get(key) ?? [];
    const present = entries.find((entry) => sameContent(entry.data, data));
    if (present) {
      present.users++;
      return present.buffer;
    }
    this.#context.assertBindable(data.byteLength, `constant ${key}`);
    // kernels differ in which of the two they read weights as
    const usage = BufferUsage.STORAGE | BufferUsage.UNIFORM | BufferUsage.COPY_DST;
    const buffer = this.#context.device.createBuffer({ label: key, size: data.byteLength, usage });
    this.#context.device.queue.writeBuffer(buffer, 0, data);
    this.#entries.set(key, [...entries, { data, buffer, users: 1 }]);
    return buffer;
  }

  /** Frees the buffer when it was acquired by no other plan. */
  release(key: string, buffer: GPUBuffer): void {
    const entries = this.#entries.get(key) ?? [];
    const entry = entries.find((each) => each.buffer === buffer);
    if (!entry || --entry.users > 0) return;
    buffer.destroy();
    this.#entries.set(
      key,
      entries.filter((each) => each !== entry),
    );
  }

  dispose(): void {
    for (const entries of this.#entries.values()) for (const { buffer } of entries) buffer.destroy();
    this.#entries.clear();
  }
}
