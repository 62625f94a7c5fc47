import type { Face } from '../common/face.ts';
import { dropAlpha, type OpenedImage, type Pixels } from '../common/image.ts';
import { loadPart } from '../common/load-part.ts';
import { settleAll } from '../common/settle-all.ts';
import { alignmentMatrix } from '../faces/similarity.ts';
import { cropBytes, WARP_PARAMS_BYTES, warpAffine, warpSteps } from '../kernels/alignment/warp-affine.ts';
import type { GpuContext } from '../runtime/gpu-context.ts';
import { BufferUsage } from '../runtime/gpu-flags.ts';
import { bindLaunch, withBuffers } from '../runtime/launch.ts';
import type { ImageBuffer } from './image-buffer.ts';
import { type ImageLayout, layOut } from './image-layout.ts';
import type { Sampled } from './sampled.ts';

/** A face's five keypoints, as `detect` gives them. */
export type Keypoints = NonNullable<Face['keypoints']>;

/** An image in parts that can be bound; null for all of it. */
async function partsOf(image: OpenedImage, most: number): Promise<readonly (Sampled | null)[]> {
  const { layouts, bytes } = layOut([image]);
  if (bytes <= most) return [null];
  const { stripsOf } = await loadPart(() => import('./sampled.ts'));
  // two words less: pixels straddle words, and rows end within one
  return stripsOf(image, Math.floor((most - 8) / layouts[0]!.rowBytes));
}

/**
 * Aligned RGB crops of faces in one image, in one dispatch, or in one for each strip of an image that cannot be bound whole.
 * Nothing else may write to `images` meanwhile.
 * @throws RangeError for a wrong size or keypoints, DeviceError
 */
export async function alignFaces(
  context: GpuContext,
  images: ImageBuffer,
  image: OpenedImage,
  faces: readonly Keypoints[],
  size: number,
): Promise<Pixels[]> {
  const steps = warpSteps(
    faces.map((keypoints) => alignmentMatrix(keypoints, size)),
    size,
  );
  if (faces.length === 0) return [];
  const count = faces.length;
  const bytes = cropBytes({ count, size });
  context.assertBindable(bytes, `${count} crops`);
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
  return withBuffers(
    context,
    'aligning faces',
    (create) => ({
      params: create('align params', WARP_PARAMS_BYTES, UNIFORM | COPY_DST),
      table: create('align steps', new Uint8Array(steps.buffer), STORAGE),
      crops: create('crops', bytes, STORAGE | COPY_SRC),
      staging: create('read-back of crops', bytes, MAP_READ | COPY_DST),
    }),
    async ({ params, table, crops, staging }) => {
      const { device } = context;
      const checks: Promise<unknown>[] = [];
      for (const part of await partsOf(image, context.maxBinding)) {
        const encoder = device.createCommandEncoder();
        const { layouts, put } = await images.write([image], encoder, async () => part!);
        const [{ sampled: strip, ...layout }] = layouts as [ImageLayout];
        const rows = strip && { firstRow: strip.rows[0]!, rows: strip.rows.length };
        const dispatch = warpAffine({ ...layout, ...rows, count, size });
        const bindings = [params, images.buffer, table, crops].map((buffer) => ({ buffer }));
        const launch = await bindLaunch(context, dispatch, bindings);
        const { result, checked } = context.scoped('aligning faces', () => {
          const uploaded = put();
          device.queue.writeBuffer(params, 0, dispatch.params);
          const pass = encoder.beginComputePass();
          launch(pass);
          pass.end();
          device.queue.submit([encoder.finish()]);
          return { uploaded };
        });
        checks.push(result.uploaded, checked);
      }
      const { result, checked } = context.scoped('aligning faces', () => ({
        copies: context.read(device.createCommandEncoder(), staging, [{ buffer: crops, offset: 0, bytes }]),
      }));
      await settleAll([...checks, checked, result.copies]);
      const [copy] = await result.copies;
      const one = size * size * 4;
      return faces.map((_, i) => {
        const data = dropAlpha(new Uint8Array(copy!, i * one, one));
        return { data, width: size, height: size, channels: 3 };
      });
    },
  );
}
