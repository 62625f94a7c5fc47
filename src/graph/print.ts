import { formatDims } from '../common/tensor.ts';
import { describeActivation } from '../kernels/activation.ts';
import { constantNames, dimsOf, type Graph, type Node } from './ir.ts';

function describeAttributes(node: Node): string[] {
  switch (node.op) {
    case 'Conv':
      return [
        `${node.kernel.join('×')} /${node.strides} pad ${node.pads}`,
        ...(node.dilations.some((d) => d !== 1) ? [`dilation ${node.dilations}`] : []),
        ...(node.group > 1 ? [`group ${node.group}`] : []),
        ...(node.residualUpsample > 0 ? [`residual ×${node.residualUpsample}`] : []),
        ...(node.activation.kind === 'none' ? [] : [describeActivation(node.activation)]),
      ];
    case 'Pool':
      return [node.kind, `${node.kernel.join('×')} /${node.strides} pad ${node.pads}${node.ceilMode ? ' ceil' : ''}`];
    case 'GlobalPool':
      return [node.kind];
    case 'GroupNorm':
      return [
        `${node.groups} groups`,
        ...(node.activation.kind === 'none' ? [] : [describeActivation(node.activation)]),
      ];
    case 'Resize':
      return [node.mode.mode, node.mode.coordinates];
    case 'Binary':
      return [node.operation];
    case 'Unary':
      return [describeActivation(node.activation)];
    case 'Softmax':
    case 'Concat':
      return [`axis ${node.axis}`];
    case 'Transpose':
      return [`perm ${node.perm}`];
    case 'Slice':
      return [`from ${node.starts} step ${node.steps}`];
    case 'Reshape':
    case 'BatchNorm':
      return [];
    default:
      return node satisfies never;
  }
}

/** One line a node: `output: shape = Op(inputs) attributes`. */
export function printGraph(graph: Graph): string {
  const line = (node: Node) => {
    const operands = [...node.inputs, ...constantNames(node)].join(', ');
    const attributes = describeAttributes(node).join(', ');
    return `${node.output}: ${formatDims(dimsOf(graph, node.output))} = ${node.op}(${operands}) ${attributes}`.trimEnd();
  };
  return [
    `input ${graph.input}: ${formatDims(dimsOf(graph, graph.input))}`,
    ...graph.nodes.map(line),
    `outputs ${graph.outputs.join(', ')}`,
    '',
  ].join('\n');
}
