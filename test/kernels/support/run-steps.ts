import type { ByteRange, Dispatch } from '../../../src/kernels/dispatch.ts';
import { BufferUsage } from '../../../src/runtime/gpu-flags.ts';
import { openGpu } from '../../support/gpu.ts';

export interface Step {
  readonly dispatch: Dispatch;
  /** Names of the buffers at bindings 1, 2, …; a name means the same buffer in every step. */
  readonly buffers: readonly string[];
  /** The part of a buffer that is bound, by its name; else all of it is. */
  readonly ranges?: Readonly<Record<string, ByteRange | undefined>>;
}

/**
 * Runs dispatches one after another in one pass and returns the buffers named in `read`. Every byte that `contents` leaves open
 * is NaN before, so that an element which a kernel forgets cannot pass. WebGPU errors fail the test.
 */
export async function runSteps<Name extends string>(
  steps: readonly Step[],
  contents: Readonly<Record<string, ArrayBufferView>>,
  read: readonly Name[],
): Promise<Record<Name, ArrayBuffer>> {
  const context = await openGpu();
  const { device } = context;
  const sizes = new Map<string, number>();
  const grow = (name: string, bytes: number) => sizes.set(name, Math.max(sizes.get(name) ?? 16, bytes));
  for (const [name, content] of Object.entries(contents)) grow(name, Math.ceil(content.byteLength / 16) * 16);
  for (const { dispatch, buffers } of steps) {
    if (buffers.length !== dispatch.bindingBytes.length) {
      throw new Error(`${dispatch.kernel} binds ${dispatch.bindingBytes.length} buffers, got ${buffers.length}`);
    }
    buffers.forEach((name, i) => {
      grow(name, dispatch.bindingBytes[i]!);
    });
  }
  const pipelines = await Promise.all(
    steps.map(({ dispatch }) => context.pipeline(dispatch.kernel, dispatch.source, dispatch.overrides)),
  );
  return context.guarded(steps.map(({ dispatch }) => dispatch.kernel).join(' → '), async () => {
    const created: GPUBuffer[] = [];
    const create = (size: number, usage: number) => {
      const buffer = device.createBuffer({ size, usage });
      created.push(buffer);
      return buffer;
    };
    const named = new Map<string, GPUBuffer>();
    for (const [name, size] of sizes) {
      const buffer = create(
        size,
        BufferUsage.STORAGE | BufferUsage.UNIFORM | BufferUsage.COPY_DST | BufferUsage.COPY_SRC,
      );
      const bytes = new Uint8Array(new Float32Array(Math.ceil(size / 4)).fill(Number.NaN).buffer);
      const content = contents[name];
      if (content) bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
      device.queue.writeBuffer(buffer, 0, bytes);
      named.set(name, buffer);
    }
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    steps.forEach(({ dispatch, buffers, ranges = {} }, i) => {
      const params = create(dispatch.params.byteLength, BufferUsage.UNIFORM | BufferUsage.COPY_DST);
      device.queue.writeBuffer(params, 0, dispatch.params);
      const bound = buffers.map((name): GPUBufferBinding => {
        const range = ranges[name];
        return { buffer: named.get(name)!, ...(range && { offset: range.offset, size: range.bytes }) };
      });
      const layout = pipelines[i]!.getBindGroupLayout(0);
      pass.setPipeline(pipelines[i]!);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout,
          entries: [{ buffer: params }, ...bound].map((resource, binding) => ({ binding, resource })),
        }),
      );
      pass.dispatchWorkgroups(...dispatch.workgroups);
    });
    pass.end();
    const parts = read.map((name) => ({ buffer: named.get(name)!, offset: 0, bytes: sizes.get(name)! }));
    const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = create(total, BufferUsage.MAP_READ | BufferUsage.COPY_DST);
    const copies = await context.read(encoder, staging, parts);
    for (const buffer of created) buffer.destroy();
    return Object.fromEntries(read.map((name, i) => [name, copies[i]!])) as Record<Name, ArrayBuffer>;
  });
}

/**
 * Runs one dispatch and returns all of its last binding.
 * @param inputs contents of every binding but the last; an array may be shorter than the binding
 * @param initial contents of the last binding for kernels that update it in place
 */
export async function runDispatch(
  dispatch: Dispatch,
  inputs: readonly ArrayBufferView[],
  initial?: ArrayBufferView,
): Promise<ArrayBuffer> {
  const buffers = [...inputs.map((_, i) => `input ${i}`), 'output'];
  const contents = Object.fromEntries([...inputs, initial ?? new Uint8Array()].map((data, i) => [buffers[i]!, data]));
  const { output } = await runSteps([{ dispatch, buffers }], contents, ['output']);
  return output;
}
