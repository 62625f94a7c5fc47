import { afterAll } from 'vitest';
import type { Dispatch } from '../../src/kernels/dispatch.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { GpuContext } from '../../src/runtime/gpu-context.ts';
import { BufferUsage } from '../../src/runtime/gpu-flags.ts';

/** Set for adapters on which the longest tests take fewer cases. */
export const slowAdapter = process.env.SCRFD_SLOW_ADAPTER === '1';

let shared: Promise<GpuContext> | undefined;

/** The test process's device; closed when the file's tests are done. */
export function openGpu(): Promise<GpuContext> {
  if (!shared) {
    shared = GpuContext.open(nodePlatform, undefined);
    afterAll(async () => {
      (await shared)?.dispose();
      shared = undefined;
    });
  }
  return shared;
}

/**
 * Runs one dispatch on fresh buffers and returns all of its last binding. Every byte that the host does not write
 * is NaN before, so that an element which the kernel forgets cannot pass. WebGPU errors fail the test.
 * @param inputs contents of every binding but the last; an array may be shorter than the binding
 * @param initial contents of the last binding for kernels that update it in place
 */
export async function runDispatch(
  dispatch: Dispatch,
  inputs: readonly (Float32Array | Int32Array | Uint32Array | Uint8Array)[],
  initial?: Float32Array | Uint32Array,
): Promise<ArrayBuffer> {
  const context = await openGpu();
  const { device } = context;
  if (inputs.length !== dispatch.bindingBytes.length - 1) {
    throw new Error(`${dispatch.kernel} binds ${dispatch.bindingBytes.length - 1} inputs, got ${inputs.length}`);
  }
  const pipeline = await context.pipeline(dispatch.kernel, dispatch.source, dispatch.overrides);
  const created: GPUBuffer[] = [];
  const create = (size: number, usage: number) => {
    const buffer = device.createBuffer({ size, usage });
    created.push(buffer);
    return buffer;
  };
  const storage = (size: number, content: ArrayBufferView | undefined) => {
    const buffer = create(size, BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC);
    const bytes = new Uint8Array(new Float32Array(size / 4).fill(Number.NaN).buffer);
    if (content) bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
    device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  };
  return context.guarded(dispatch.kernel, async () => {
    const params = create(dispatch.params.byteLength, BufferUsage.UNIFORM | BufferUsage.COPY_DST);
    device.queue.writeBuffer(params, 0, dispatch.params);
    const contents = [...inputs, initial];
    const buffers = dispatch.bindingBytes.map((bytes, i) =>
      storage(Math.ceil(Math.max(bytes, contents[i]?.byteLength ?? 0) / 16) * 16, contents[i]),
    );
    const output = buffers.at(-1)!;
    const staging = create(output.size, BufferUsage.MAP_READ | BufferUsage.COPY_DST);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [params, ...buffers].map((buffer, binding) => ({ binding, resource: { buffer } })),
      }),
    );
    pass.dispatchWorkgroups(...dispatch.workgroups);
    pass.end();
    const [copy] = await context.read(encoder, staging, [{ buffer: output, offset: 0, bytes: output.size }]);
    for (const buffer of created) buffer.destroy();
    return copy!;
  });
}

/** NC4HW4 → NCHW on the CPU; checks that the lanes beyond the last channel hold finite numbers. */
export function unpackOnCpu(
  packed: Float32Array,
  [batch, channels, height, width]: readonly [number, number, number, number],
): Float32Array {
  const blocks = Math.ceil(channels / 4);
  const plane = height * width;
  const values = new Float32Array(batch * channels * plane);
  for (let i = 0; i < batch * blocks * plane * 4; i++) {
    const lane = i % 4;
    const position = Math.floor(i / 4) % plane;
    const block = Math.floor(i / 4 / plane) % blocks;
    const n = Math.floor(i / 4 / plane / blocks);
    const channel = block * 4 + lane;
    if (channel < channels) values[(n * channels + channel) * plane + position] = packed[i]!;
    else if (!Number.isFinite(packed[i]!)) throw new Error(`padding lane ${lane} of block ${block} holds ${packed[i]}`);
  }
  return values;
}
