import type { Face } from '../common/face.ts';
import { dropAlpha, type Pixels } from '../common/image.ts';
import { alignmentMatrix } from '../faces/similarity.ts';
import { cropBytes, warpAffine, warpSteps } from '../kernels/detection/warp-affine.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import { bindLaunch, withBuffers } from '../runtime/launch.ts';
import type { ImageLayout } from './image-buffer.ts';

/** A face's five keypoints, as `detect` gives them. */
export type Keypoints = NonNullable<Face['keypoints']>;

/**
 * Aligned RGB crops of faces in one image, in one dispatch. `pixels` must stay as it is until they are there.
 * @param encoder what puts the image there, and is then submitted
 * @param layout where the image lies at the start of `pixels`
 * @throws RangeError for a wrong size or keypoints, DeviceError
 */
export async function alignFaces(
  context: GpuContext,
  encoder: GPUCommandEncoder,
  pixels: GPUBuffer,
  layout: ImageLayout,
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
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
  return withBuffers(
    context,
    'aligning faces',
    (create) => ({
      params: create('align params', dispatch.params, UNIFORM),
      table: create('align steps', new Uint8Array(steps.buffer), STORAGE),
      crops: create('crops', bytes, STORAGE | COPY_SRC),
      staging: create('read-back of crops', bytes, MAP_READ | COPY_DST),
    }),
    async ({ params, table, crops, staging }) => {
      const bindings = [params, pixels, table, crops].map((buffer) => ({ buffer }));
      const launch = await bindLaunch(context, dispatch, bindings);
      const pass = encoder.beginComputePass();
      launch(pass);
      pass.end();
      const [result] = await context.read(encoder, staging, [{ buffer: crops, offset: 0, bytes }]);
      const one = size * size * 4;
      return faces.map((_, i) => {
        const data = dropAlpha(new Uint8Array(result!, i * one, one));
        return { data, width: size, height: size, channels: 3 };
      });
    },
  );
}
