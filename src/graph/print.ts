import { formatDims } from '../common/tensor.ts';
import { dimsOf, type Graph, inputsOf } from './ir.ts';
import { constantNames, describeAttributes, type Node } from './operators/index.ts';

/** One line a node: `output: shape = Op(inputs) attributes`. */
export function printGraph(graph: Graph): string {
  const line = (node: Node) => {
    const operands = [...node.inputs, ...constantNames(node)].join(', ');
    const attributes = describeAttributes(node).join(', ');
    return `${node.output}: ${formatDims(dimsOf(graph, node.output))} = ${node.op}(${operands}) ${attributes}`.trimEnd();
  };
  return [
    ...inputsOf(graph).map((input) => `input ${input}: ${formatDims(dimsOf(graph, input))}`),
    ...graph.nodes.map(line),
    `outputs ${graph.outputs.join(', ')}`,
    '',
  ].join('\n');
}
