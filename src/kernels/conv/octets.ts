// Weights by octets: those of eight output channels side by side.
import { blocksOf } from '../nc4hw4.ts';
import type { ConvSpec } from './spec.ts';

/** Output channels for which weights are packed together. */
export const OCTET = 8;

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
