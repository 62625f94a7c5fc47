import { basename } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createNetwork } from '../../src/index.node.ts';
import { expectClose } from '../support/compare.ts';
import { modelFiles, withData } from '../support/data.ts';
import { openGpu, slowAdapter } from '../support/gpu.ts';
import { disposeOrt, runOrtInOrder } from '../support/ort.ts';
import { photographBlob } from '../support/photographs.ts';
import { createRng } from '../support/rng.ts';

const SMALL = [[320, 256]] as const;
const SIZES = slowAdapter ? SMALL : ([[640, 640], [640, 480], ...SMALL] as const);

/** Files that fix their input. */
const BAKED_SIZES: Record<string, readonly (readonly [number, number])[]> = {
  'scrfd_500m_kps_static320.onnx': [[320, 320]],
  'scrfd_2.5g_kps_renamed_opset12.onnx': [[640, 640]],
};

/** GroupNorm divides by a variance summed over up to 77,000 elements, in another order than onnxruntime's. */
const usesGroupNorm = (file: string) => /^scrfd_(500m|1g|2\.5g)\.onnx$/.test(file);

withData('network outputs equal onnxruntime', () => {
  afterAll(disposeOrt);

  for (const path of modelFiles()) {
    const file = basename(path);
    const sizes = BAKED_SIZES[file] ?? SIZES;
    for (const [width, height] of sizes) {
      test(`${file} at ${width}×${height}`, async () => {
        const { device } = await openGpu();
        const dims = [1, 3, height, width] as const;
        const network = await createNetwork(path, { inputShape: dims, device });
        const tolerance = usesGroupNorm(file) ? 5e-4 : 1e-4;
        const inputs = [createRng(7).floats(3 * height * width), await photographBlob([width, height])];
        for (const data of inputs) {
          const expected = await runOrtInOrder(path, { dims, data });
          const actual = await network.run(data);
          expect(Object.keys(actual)).toHaveLength(expected.length);
          for (const [name, tensor] of expected) {
            expect(actual[name]?.dims, name).toEqual(tensor.dims);
            expectClose(actual[name]!.data, tensor.data, {
              abs: tolerance,
              rel: tolerance,
              reason: `${name}: float32 sums in another order, some 60 layers deep`,
            });
          }
        }
        await network.dispose();
      });
    }
  }

  for (const path of modelFiles()) {
    const file = basename(path);
    const [width, height] = (BAKED_SIZES[file] ?? SMALL)[0]!;
    test(`${file}, two images in one run`, async () => {
      const { device } = await openGpu();
      const single = [1, 3, height, width] as const;
      const tolerance = usesGroupNorm(file) ? 5e-4 : 1e-4;
      const images = [createRng(8).floats(3 * height * width), await photographBlob([width, height])];
      const both = new Float32Array(2 * images[0]!.length);
      images.forEach((data, i) => {
        both.set(data, i * data.length);
      });
      const network = await createNetwork(path, { inputShape: single, device });
      const actual = await network.run(both, { inputShape: [2, 3, height, width] });
      for (const [i, data] of images.entries()) {
        for (const [name, tensor] of await runOrtInOrder(path, { dims: single, data })) {
          const { data: all } = actual[name]!;
          const part = all.subarray((i * all.length) / 2, ((i + 1) * all.length) / 2);
          expectClose(part, tensor.data, { abs: tolerance, rel: tolerance, reason: `${name} of image ${i}` });
        }
      }
      await network.dispose();
    });
  }
});
