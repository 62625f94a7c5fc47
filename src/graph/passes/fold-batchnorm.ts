import { batchNormAffine } from '../../kernels/tensor/batchnorm.ts';
import { constantOf, type Graph } from '../ir.ts';
import { absorb } from './absorb.ts';
import { isBareConv, scaleConv } from './scale-channels.ts';

/** Conv → BatchNorm becomes one Conv with scaled weights and a bias. */
export function foldBatchNorm(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer, current) => {
    if (node.op !== 'BatchNorm') return null;
    const conv = soleProducer(node.inputs[0]!);
    if (conv?.op !== 'Conv' || !isBareConv(conv)) return null;
    const data = (name: string) => constantOf(current, name).data;
    const { scale, shift } = batchNormAffine(
      data(node.gamma),
      data(node.beta),
      data(node.mean),
      data(node.variance),
      node.epsilon,
    );
    return scaleConv(current, conv, { scale: (c) => scale[c]!, shift: (c) => shift[c]! }, node.output);
  });
}
