import { floatTensor, sizeOf } from '../../common/tensor.ts';
import { constantOf, type Graph } from '../ir.ts';
import type { ConvNode } from '../operators/conv.ts';
import { absorb, derivedName } from './absorb.ts';
import { isBareConv } from './scale-channels.ts';

function sameWindow(a: ConvNode, b: ConvNode): boolean {
  const window = (conv: ConvNode) =>
    [conv.inputs[0], conv.kernel, conv.strides, conv.dilations, conv.pads, conv.group].join(';');
  return window(a) === window(b);
}

/**
 *     x → Conv a ┐
 *     x → Conv b ┼ Concat (channels)   becomes   x → Conv abc
 *     x → Conv c ┘
 */
export function mergeConvs(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer, current) => {
    if (node.op !== 'Concat' || node.axis !== 1) return null;
    const convs = node.inputs.map(soleProducer).filter((producer) => producer?.op === 'Conv');
    const first = convs[0];
    if (!first || convs.length !== node.inputs.length) return null;
    if (convs.some((conv) => !isBareConv(conv) || conv.group !== 1 || !sameWindow(conv, first))) return null;
    const weights = convs.map((conv) => constantOf(current, conv.weight));
    const channels = weights.reduce((sum, weight) => sum + weight.dims[0]!, 0);
    const dims = [channels, ...weights[0]!.dims.slice(1)];
    const weight = new Float32Array(sizeOf(dims));
    const bias = new Float32Array(channels);
    let channel = 0;
    weights.forEach((part, i) => {
      weight.set(part.data, channel * sizeOf(dims.slice(1)));
      const own = convs[i]!.bias;
      if (own !== null) bias.set(constantOf(current, own).data, channel);
      channel += part.dims[0]!;
    });
    return {
      node: {
        ...first,
        weight: derivedName(node.output, 'weight'),
        bias: derivedName(node.output, 'bias'),
        output: node.output,
      },
      replaces: convs,
      constants: {
        [derivedName(node.output, 'weight')]: floatTensor(dims, weight),
        [derivedName(node.output, 'bias')]: floatTensor([channels], bias),
      },
    };
  });
}
