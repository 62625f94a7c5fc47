import type { ByteRange, Dispatch } from '../../../src/kernels/dispatch.ts';
import { BufferUsage } from '../../../src/runtime/gpu-flags.ts';
import { bindLaunch, withBuffers } from '../../../src/runtime/launch.ts';
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
  const parts = read.map((name) => ({ name, offset: 0, bytes: sizes.get(name)! }));
  const what = steps.map(({ dispatch }) => dispatch.kernel).join(' → ');
  const { STORAGE, UNIFORM, COPY_DST, COPY_SRC, MAP_READ } = BufferUsage;
  return withBuffers(
    context,
    what,
    (create) => {
      const named = new Map<string, GPUBuffer>();
      for (const [name, size] of sizes) {
        const bytes = new Uint8Array(new Float32Array(Math.ceil(size / 4)).fill(Number.NaN).buffer);
        const content = contents[name];
        if (content) bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
        named.set(name, create(name, bytes, STORAGE | UNIFORM | COPY_SRC));
      }
      return {
        named,
        params: steps.map(({ dispatch }) => create('params', dispatch.params, UNIFORM)),
        staging: create(
          'read-back',
          parts.reduce((sum, { bytes }) => sum + bytes, 0),
          MAP_READ | COPY_DST,
        ),
      };
    },
    ({ named, params, staging }) =>
      context.guarded(what, async () => {
        const launches = await Promise.all(
          steps.map(({ dispatch, buffers, ranges = {} }, i) => {
            const bound = buffers.map((name): GPUBufferBinding => {
              const range = ranges[name];
              return { buffer: named.get(name)!, ...(range && { offset: range.offset, size: range.bytes }) };
            });
            return bindLaunch(context, dispatch, [{ buffer: params[i]! }, ...bound]);
          }),
        );
        const encoder = context.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (const launch of launches) launch(pass);
        pass.end();
        const sources = parts.map((part) => ({ ...part, buffer: named.get(part.name)! }));
        const copies = await context.read(encoder, staging, sources);
        return Object.fromEntries(read.map((name, i) => [name, copies[i]!])) as Record<Name, ArrayBuffer>;
      }),
  );
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
