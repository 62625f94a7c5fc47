import type { Graph } from '../ir.ts';
import { absorb } from './absorb.ts';

/** MatMul → elementwise activation becomes one node. */
export function fuseDenseActivation(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer) => {
    if (node.op !== 'Unary') return null;
    const matmul = soleProducer(node.inputs[0]!);
    if (matmul?.op !== 'MatMul' || matmul.activation.kind !== 'none') return null;
    return { node: { ...matmul, activation: node.activation, output: node.output }, replaces: [matmul] };
  });
}
