import { sameDims } from '../../common/tensor.ts';
import { dimsOf, type Graph } from '../ir.ts';
import type { Node } from '../operators/index.ts';
import type { ReshapeNode } from '../operators/reshape.ts';

/** Whether a Reshape changes nothing: Identity, Dropout and Cast become such ones. */
export function isNoop(graph: Graph, node: ReshapeNode): boolean {
  return sameDims(node.dims, dimsOf(graph, node.inputs[0]!));
}

/** Lets readers of a Reshape that changes nothing read its input; an output of the graph keeps its name. */
export function dropNoops(graph: Graph): Graph {
  const originals = new Map<string, string>();
  const outputs = new Set(graph.outputs);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const inputs = node.inputs.map((name) => originals.get(name) ?? name);
    if (node.op === 'Reshape' && isNoop(graph, node) && !outputs.has(node.output)) {
      originals.set(node.output, inputs[0]!);
      return [];
    }
    return [{ ...node, inputs }];
  });
  return { ...graph, nodes };
}
