import { sizeOf } from '../../common/tensor.ts';
import { softmax as kernel } from '../../kernels/tensor/softmax.ts';
import type { ModelNode } from '../../loader/model.ts';
import { checkAxis, normalizeAxis } from '../shapes.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface SoftmaxNode extends NodeBase {
  readonly op: 'Softmax';
  readonly axis: number;
  /** Before opset 13 all dimensions from the axis on count as one. */
  readonly flatten: boolean;
}

function translate(node: ModelNode, context: TranslateContext): Draft<SoftmaxNode> {
  const modern = context.opset >= 13;
  const axis = node.attributes.int('axis', modern ? -1 : 1);
  const rank = context.dims(node.inputs[0]!).length;
  return { op: 'Softmax', axis: normalizeAxis(node.name, axis, rank), flatten: !modern };
}

export const softmax: Operator<SoftmaxNode> = {
  onnx: { Softmax: translate },
  inferDims: (node, dimsOf) => checkAxis(node.name, node.axis, dimsOf(node.inputs[0]!)),
  describe: (node) => [`axis ${node.axis}`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower(node, to) {
    const dims = to.dims(node.output);
    const rest = sizeOf(dims.slice(node.axis));
    const size = node.flatten ? rest : dims[node.axis]!;
    to.emitNode(node, kernel(sizeOf(dims.slice(0, node.axis)), size, rest / size), 'plain');
  },
};
