import type { Face, Pixels } from '../common/face.ts';
import { alignmentMatrix } from '../faces/similarity.ts';
import { cropBytes, warpAffine, warpSteps } from '../kernels/detection/warp-affine.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import type { PixelLayout } from './image-buffer.ts';

/** A face's five keypoints, as `detect` gives them. */
export type Keypoints = NonNullable<Face['keypoints']>;

/** The alpha that every crop carries on the GPU. */
function dropAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from]!;
    rgb[to++] = rgba[from + 1]!;
    rgb[to++] = rgba[from + 2]!;
  }
  return rgb;
}

/**
 * Aligned RGB crops of faces in one picture, in one dispatch. `pixels` must stay as it is until they are there.
 * @param layout where the picture lies at the start of `pixels`
 * @throws RangeError for a wrong size or keypoints, DeviceError
 */
export async function alignFaces(
  context: GpuContext,
  pixels: GPUBuffer,
  layout: PixelLayout,
  faces: readonly Keypoints[],
  size: number,
): Promise<Pixels[]> {
  const steps = warpSteps(
    faces.map((keypoints) => alignmentMatrix(keypoints, size)),
    size,
  );
  if (faces.length === 0) return [];
  const dispatch = warpAffine({ ...layout, count: faces.length, size });
  const bytes = cropBytes({ count: faces.length, size });
  context.assertBindable(bytes, `${faces.length} crops`);
  const pipeline = await context.pipeline(dispatch.kernel, dispatch.source, dispatch.overrides);
  const { device } = context;
  const buffers: GPUBuffer[] = [];
  const make = (label: string, length: number, usage: number) => {
    const buffer = device.createBuffer({ label, size: length, usage });
    buffers.push(buffer);
    return buffer;
  };
  try {
    const [params, table, crops, staging] = await context.guarded(
      'aligning faces',
      () =>
        [
          make('align params', dispatch.params.byteLength, BufferUsage.UNIFORM | BufferUsage.COPY_DST),
          make('align steps', steps.byteLength, BufferUsage.STORAGE | BufferUsage.COPY_DST),
          make('crops', bytes, BufferUsage.STORAGE | BufferUsage.COPY_SRC),
          make('read-back of crops', bytes, BufferUsage.MAP_READ | BufferUsage.COPY_DST),
        ] as const,
    );
    device.queue.writeBuffer(params, 0, dispatch.params);
    device.queue.writeBuffer(table, 0, steps);
    const entries = [params, pixels, table, crops].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...dispatch.workgroups);
    pass.end();
    const [result] = await context.read(encoder, staging, [{ buffer: crops, offset: 0, bytes }]);
    const one = size * size * 4;
    return faces.map((_, i) => {
      const data = dropAlpha(new Uint8Array(result!, i * one, one));
      return { data, width: size, height: size, channels: 3 };
    });
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}
