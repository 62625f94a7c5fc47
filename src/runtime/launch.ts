import type { Dispatch } from '../kernels/dispatch.ts';
import type { GpuContext } from './gpu-context.ts';
import { BufferUsage } from './gpu-flags.ts';

/** What a launch needs to know of a dispatch. */
export interface Launchable extends Pick<Dispatch, 'source' | 'workgroups'>, Partial<Pick<Dispatch, 'overrides'>> {
  readonly kernel: string;
}

/** Puts a launch into a pass. */
export type Launch = (pass: GPUComputePassEncoder) => void;

/** Compiles a dispatch and binds its buffers, from binding 0 on. @throws DeviceError naming line and column, or what does not fit */
export async function bindLaunch(
  context: GpuContext,
  { kernel, source, overrides = {}, workgroups }: Launchable,
  bindings: readonly GPUBufferBinding[],
): Promise<Launch> {
  const pipeline = await context.pipeline(kernel, source, overrides);
  const { result: bindGroup, checked } = context.scoped(kernel, () =>
    context.device.createBindGroup({
      label: kernel,
      layout: pipeline.getBindGroupLayout(0),
      entries: bindings.map((resource, binding) => ({ binding, resource })),
    }),
  );
  await checked;
  return (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...workgroups);
  };
}

/** Makes a buffer of so many bytes, or with these contents. */
export type CreateBuffer = (label: string, contents: number | Uint8Array<ArrayBuffer>, usage: number) => GPUBuffer;

/**
 * Makes buffers for one task and destroys them when it ends, however it ends.
 * @param what names the task in errors
 * @throws DeviceError when there is no room for them
 */
export async function withBuffers<B, T>(
  context: GpuContext,
  what: string,
  allocate: (create: CreateBuffer) => B,
  task: (buffers: B) => Promise<T>,
): Promise<T> {
  const { device } = context;
  const created: GPUBuffer[] = [];
  const create: CreateBuffer = (label, contents, usage) => {
    const known = typeof contents !== 'number';
    const size = known ? contents.byteLength : contents;
    const buffer = device.createBuffer({ label, size, usage: known ? usage | BufferUsage.COPY_DST : usage });
    created.push(buffer);
    if (known) device.queue.writeBuffer(buffer, 0, contents);
    return buffer;
  };
  try {
    return await task(await context.allocate(what, () => allocate(create)));
  } finally {
    for (const buffer of created) buffer.destroy();
  }
}
