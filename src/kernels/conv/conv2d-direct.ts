import type { Dispatch } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { type ConvSpec, convDispatch } from './spec.ts';

/** Output channels for which weights are packed together. */
export const OCTET = 8;
/** Pixels of one invocation of `conv2dDirect`. */
const PIXELS = 4;
const WORKGROUP = 64;

/**
 * Weights for `conv2dDirect`, `conv2dSplit` and `convLane`: ONNX `[out][in][kh][kw]` → `[out/8][in/4][kh][kw][2][4 in]` of vec4
 * over 4 output channels, missing channels zero: a pair of 4×4 matrices for every tap.
 */
export function packConvWeights(
  weights: Float32Array,
  outChannels: number,
  inChannels: number,
  [kernelHeight, kernelWidth]: readonly [number, number],
): Float32Array<ArrayBuffer> {
  const taps = kernelHeight * kernelWidth;
  const inBlocks = blocksOf(inChannels);
  const packed = new Float32Array(packedLength(outChannels, inChannels) * taps);
  let source = 0;
  for (let out = 0; out < outChannels; out++) {
    for (let channel = 0; channel < inChannels; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        packed[packedPlace(out, channel, inBlocks, tap, taps)] = weights[source++]!;
      }
    }
  }
  return packed;
}

/** Index of a weight in the order of `packConvWeights`. */
export function packedPlace(out: number, channel: number, inBlocks: number, tap = 0, taps = 1): number {
  const octet = Math.floor(out / OCTET);
  const matrix = (((octet * inBlocks + (channel >> 2)) * taps + tap) * OCTET) / 4 + ((out >> 2) & 1);
  return (matrix * 4 + (channel & 3)) * 4 + (out & 3);
}

/** Numbers in the packed weights of a 1×1 convolution. */
export function packedLength(outChannels: number, inChannels: number): number {
  return Math.ceil(outChannels / OCTET) * blocksOf(inChannels) * OCTET * 4;
}

/** Bytes of the packed weights of one image. */
export function weightBytes(spec: ConvSpec): number {
  return packedLength(spec.outChannels, spec.inChannels) * spec.kernel[0] * spec.kernel[1] * 4;
}

/** Workgroups where one invocation computes a tile of `pixels` × `out` channels. */
export function convGrid(spec: ConvSpec, pixels: number, out: number, workgroup: number): [number, number, number] {
  const tiles = Math.ceil(spec.outWidth / pixels) * spec.outHeight;
  return [Math.ceil(tiles / workgroup), Math.ceil(spec.outChannels / out), spec.batch];
}

/** Dense convolution for any adapter. Bindings: input, weights, bias, residual, output. */
export function conv2dDirect(spec: ConvSpec): Dispatch {
  return convDispatch('conv2d-direct', spec, {
    overrides: { WORKGROUP },
    weightBytes: weightBytes(spec),
    workgroups: convGrid(spec, PIXELS, OCTET, WORKGROUP),
  });
}
