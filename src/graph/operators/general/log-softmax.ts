import { logSoftmax as kernel } from '../../../kernels/general/log-softmax.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { checkAxis } from '../../shapes.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from '../operator.ts';
import { readSoftmaxAxis, type SoftmaxAxis, softmaxSlices } from '../softmax.ts';

export interface LogSoftmaxNode extends NodeBase, SoftmaxAxis {
  readonly op: 'LogSoftmax';
}

function translate(node: ModelNode, context: TranslateContext): Draft<LogSoftmaxNode> {
  return { op: 'LogSoftmax', ...readSoftmaxAxis(node, context) };
}

export const logSoftmax: Operator<LogSoftmaxNode> = {
  onnx: { LogSoftmax: translate },
  inferDims: (node, dimsOf) => checkAxis(node.name, node.axis, dimsOf(node.inputs[0]!)),
  describe: (node) => [`axis ${node.axis}`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower: (node, to) => to.emitNode(node, kernel(softmaxSlices(node, to.dims(node.output))), 'plain'),
};
