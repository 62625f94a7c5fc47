import { packOnCpu } from '../../../src/kernels/nc4hw4.ts';
import type { Rng } from '../../support/rng.ts';

export type Dims4 = readonly [batch: number, channels: number, height: number, width: number];

/** A batch of feature maps, row-major and as NC4HW4. */
export interface TestImage {
  readonly dims: Dims4;
  readonly data: Float32Array<ArrayBuffer>;
  readonly packed: Float32Array<ArrayBuffer>;
}

/** In the lanes beyond the last channel: finite, as every kernel promises the next, and easy to see in a sum. */
const PADDING = 1000;

export function packImage(data: Float32Array<ArrayBuffer>, dims: Dims4): TestImage {
  const [batch, channels, height, width] = dims;
  const packed = packOnCpu(data, { batch, channels, height, width });
  const planes = batch * Math.ceil(channels / 4);
  const used = channels % 4 || 4;
  for (let plane = planes / batch - 1; plane < planes; plane += planes / batch) {
    for (let i = plane * height * width; i < (plane + 1) * height * width; i++) {
      packed.fill(PADDING, i * 4 + used, i * 4 + 4);
    }
  }
  return { dims, data, packed };
}

export function randomImage(rng: Rng, dims: Dims4, lo = -1, hi = 1): TestImage {
  return packImage(rng.floats(dims[0] * dims[1] * dims[2] * dims[3], lo, hi), dims);
}
