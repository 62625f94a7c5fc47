import { floatTensor, formatDims } from '../../common/tensor.ts';
import { constantOf, dimsOf, type Graph } from '../ir.ts';
import { absorb, derivedName } from './absorb.ts';

/**
 * PyTorch's export of GroupNorm:
 *
 *     x [n,c,h,w] → Reshape [n,g,·] → InstanceNorm → Reshape [n,c,h,w]
 *
 * becomes one GroupNorm of g groups; `foldAffine` then takes the Mul and Add that follow.
 */
export function matchGroupNorm(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer, current) => {
    if (node.op !== 'Reshape') return null;
    const instance = soleProducer(node.inputs[0]!);
    if (instance?.op !== 'GroupNorm' || instance.activation.kind !== 'none') return null;
    const grouping = soleProducer(instance.inputs[0]!);
    if (grouping?.op !== 'Reshape') return null;
    const x = dimsOf(graph, grouping.inputs[0]!);
    const grouped = dimsOf(graph, grouping.output);
    const [batch, channels] = x;
    const groups = grouped[1]!;
    if (x.length !== 4 || grouped.length !== 3 || grouped[0] !== batch || channels! % groups !== 0) return null;
    if (instance.groups !== groups || formatDims(node.dims) !== formatDims(x)) return null;
    const spread = (name: string) => {
      const perGroup = constantOf(current, name).data;
      return floatTensor(
        [channels!],
        Float32Array.from({ length: channels! }, (_, c) => perGroup[Math.floor((c * groups) / channels!)]!),
      );
    };
    return {
      node: {
        ...instance,
        inputs: grouping.inputs,
        output: node.output,
        scale: derivedName(node.output, 'scale'),
        shift: derivedName(node.output, 'shift'),
      },
      replaces: [grouping, instance],
      constants: {
        [derivedName(node.output, 'scale')]: spread(instance.scale),
        [derivedName(node.output, 'shift')]: spread(instance.shift),
      },
    };
  });
}
