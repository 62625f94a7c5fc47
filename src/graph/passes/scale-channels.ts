import { type FloatTensor, floatTensor } from '../../common/tensor.ts';
import { constantOf, dimsOf, type Graph } from '../ir.ts';
import type { ConvNode } from '../operators/conv.ts';
import type { GroupNormNode } from '../operators/group-norm.ts';
import { type Absorbed, derivedName } from './absorb.ts';

/** `y = x * scale + shift`, a value for each channel. */
export interface ChannelAffine {
  readonly scale: (channel: number) => number;
  readonly shift: (channel: number) => number;
}

/** Whether a convolution's result is still bare: scaling it is scaling its weights. */
export function isBareConv(node: ConvNode): boolean {
  return node.residualUpsample === 0 && node.activation.kind === 'none';
}

/** Moves a per-channel scale and shift into a bare convolution's weights and bias. */
export function scaleConv(graph: Graph, conv: ConvNode, affine: ChannelAffine, output: string): Absorbed {
  const weight = constantOf(graph, conv.weight);
  const bias = conv.bias === null ? null : constantOf(graph, conv.bias);
  const channels = weight.dims[0]!;
  const perChannel = weight.data.length / channels;
  const constants: Record<string, FloatTensor> = {
    [derivedName(output, 'weight')]: floatTensor(
      weight.dims,
      weight.data.map((value, i) => value * affine.scale(Math.floor(i / perChannel))),
    ),
    [derivedName(output, 'bias')]: floatTensor(
      [channels],
      Float32Array.from({ length: channels }, (_, c) => (bias?.data[c] ?? 0) * affine.scale(c) + affine.shift(c)),
    ),
  };
  return {
    node: { ...conv, weight: derivedName(output, 'weight'), bias: derivedName(output, 'bias'), output },
    replaces: [conv],
    constants,
  };
}

/** Moves a per-channel scale and shift into a normalisation's own. */
export function scaleNorm(graph: Graph, norm: GroupNormNode, affine: ChannelAffine, output: string): Absorbed {
  const channels = dimsOf(graph, norm.output)[1]!;
  const scale = constantOf(graph, norm.scale).data;
  const shift = constantOf(graph, norm.shift).data;
  return {
    node: { ...norm, scale: derivedName(output, 'scale'), shift: derivedName(output, 'shift'), output },
    replaces: [norm],
    constants: {
      [derivedName(output, 'scale')]: floatTensor(
        [channels],
        scale.map((value, c) => value * affine.scale(c)),
      ),
      [derivedName(output, 'shift')]: floatTensor(
        [channels],
        shift.map((value, c) => value * affine.scale(c) + affine.shift(c)),
      ),
    },
  };
}
