import { type Dims, sizeOf } from '../../common/tensor.ts';
import { softmax as kernel } from '../../kernels/tensor/softmax.ts';
import type { ModelNode } from '../../loader/model.ts';
import { checkAxis, normalizeAxis } from '../shapes.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from './operator.ts';

/** What Softmax and LogSoftmax go along. */
export interface SoftmaxAxis {
  readonly axis: number;
  /** Before opset 13 all dimensions from the axis on count as one. */
  readonly flatten: boolean;
}

export interface SoftmaxNode extends NodeBase, SoftmaxAxis {
  readonly op: 'Softmax';
}

export function readSoftmaxAxis(node: ModelNode, context: TranslateContext): SoftmaxAxis {
  const modern = context.opset >= 13;
  const axis = node.attributes.int('axis', modern ? -1 : 1);
  const rank = context.dims(node.inputs[0]!).length;
  return { axis: normalizeAxis(node.name, axis, rank), flatten: !modern };
}

/** A row-major tensor as outer × axis × inner. */
export function softmaxSlices({ axis, flatten }: SoftmaxAxis, dims: Dims) {
  const rest = sizeOf(dims.slice(axis));
  const size = flatten ? rest : dims[axis]!;
  return { outer: sizeOf(dims.slice(0, axis)), axis: size, inner: rest / size };
}

function translate(node: ModelNode, context: TranslateContext): Draft<SoftmaxNode> {
  return { op: 'Softmax', ...readSoftmaxAxis(node, context) };
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
    const { outer, axis, inner } = softmaxSlices(node, to.dims(node.output));
    to.emitNode(node, kernel(outer, axis, inner), 'plain');
  },
};
