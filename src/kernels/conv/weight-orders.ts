import { floatBytes, padWithZeros } from '../nc4hw4.ts';
import { packDepthwiseWeights } from './depthwise.ts';
import { packConvWeights } from './octets.ts';
import type { ConvSpec } from './spec.ts';

/** How a method wants ONNX weights `[out][in / group][kh][kw]`; one name is one order, whatever the method. */
export interface WeightOrder {
  readonly name: string;
  pack(weights: Float32Array, spec: ConvSpec): Float32Array<ArrayBuffer>;
}

export const octets: WeightOrder = {
  name: 'octets',
  pack: (weights, { outChannels, inChannels, kernel }) => packConvWeights(weights, outChannels, inChannels, kernel),
};

export const byChannels: WeightOrder = {
  name: 'depthwise',
  pack: (weights, { outChannels, kernel }) => packDepthwiseWeights(weights, outChannels, kernel),
};

export const plain: WeightOrder = {
  name: 'plain',
  pack: (weights) => padWithZeros(weights, floatBytes(weights.length) / 4),
};
