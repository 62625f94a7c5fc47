import type { AdapterTraits } from '../../kernels/dispatch.ts';
import { separablePays } from '../../kernels/hardware/pays.ts';
import { dimsOf, type Graph } from '../ir.ts';
import { aloneSeparable, separableSpec } from '../operators/hardware/separable.ts';
import { absorb } from './absorb.ts';

/** Depthwise Conv → pointwise Conv becomes one node where one launch pays on such an adapter. */
export function fuseSeparable(graph: Graph, traits: AdapterTraits): Graph {
  return absorb(graph, (node, soleProducer) => {
    if (node.op !== 'Conv') return null;
    const depthwise = soleProducer(node.inputs[0]!);
    if (depthwise?.op !== 'Conv') return null;
    const spec = separableSpec({ depthwise, pointwise: node }, (value) => dimsOf(graph, value));
    if (!separablePays(aloneSeparable(spec), traits)) return null;
    const { name, output } = node;
    const inputs = [...depthwise.inputs, ...node.inputs.slice(1)];
    return { node: { op: 'Separable', name, inputs, output, depthwise, pointwise: node }, replaces: [depthwise] };
  });
}
