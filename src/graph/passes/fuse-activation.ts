import type { Graph } from '../ir.ts';
import { absorb } from './absorb.ts';

/** Conv or GroupNorm → elementwise activation becomes one node. */
export function fuseActivation(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer) => {
    if (node.op !== 'Unary') return null;
    const producer = soleProducer(node.inputs[0]!);
    if (producer?.op !== 'Conv' && producer?.op !== 'GroupNorm') return null;
    if (producer.activation.kind !== 'none') return null;
    if (producer.op === 'GroupNorm' && node.activation.kind === 'sigmoid') return null;
    return { node: { ...producer, activation: node.activation, output: node.output }, replaces: [producer] };
  });
}
