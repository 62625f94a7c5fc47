import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { blocksOf, packedBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

type Pair = readonly [number, number];

export interface ConvTransposeSpec {
  readonly batch: number;
  readonly inChannels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** Top, left: what is cut off the result there. */
  readonly pads: Pair;
  readonly group: number;
}

const WORKGROUP = 64;

/** `[in, out / group, kh, kw]` in the kernel's order, with zeros in the lanes beyond the last channel. */
export function packTransposedWeights(weights: Float32Array, spec: ConvTransposeSpec): Float32Array<ArrayBuffer> {
  const { outChannels, group, kernel } = spec;
  const taps = kernel[0] * kernel[1];
  const groupIn = spec.inChannels / group;
  const groupOut = outChannels / group;
  const packed = new Float32Array(blocksOf(outChannels) * taps * groupIn * 4);
  for (let out = 0; out < outChannels; out++) {
    const first = Math.floor(out / groupOut) * groupIn;
    for (let k = 0; k < groupIn; k++) {
      const source = ((first + k) * groupOut + (out % groupOut)) * taps;
      for (let tap = 0; tap < taps; tap++) {
        packed[(((out >> 2) * taps + tap) * groupIn + k) * 4 + (out & 3)] = weights[source + tap]!;
      }
    }
  }
  return packed;
}

/** Transposed convolution of NC4HW4. Bindings: input, weights, bias, output. */
export function convTranspose(spec: ConvTransposeSpec): Dispatch {
  const { batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth, kernel, group } = spec;
  const blocks = blocksOf(outChannels);
  const count = batch * blocks * outHeight * outWidth;
  const oneGroup = group === 1 || (outChannels / group) % 4 === 0;
  return dispatch('conv-transpose', {
    overrides: { WORKGROUP, ONE_GROUP: oneGroup ? 1 : 0 },
    params: packParams([
      ...[outChannels, outHeight, outWidth, inChannels, inHeight, inWidth],
      ...kernel,
      ...spec.strides,
      ...spec.pads,
      ...spec.dilations,
      ...[group, count],
    ]),
    bindingBytes: [
      packedBytes(batch, inChannels, inHeight, inWidth),
      blocks * kernel[0] * kernel[1] * (inChannels / group) * 16,
      blocks * 16,
      packedBytes(batch, outChannels, outHeight, outWidth),
    ],
    workgroups: flatGrid(count, WORKGROUP),
    flops: (2 * batch * inHeight * inWidth * inChannels * outChannels * kernel[0] * kernel[1]) / group,
  });
}
