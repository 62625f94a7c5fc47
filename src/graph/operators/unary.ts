import { type Activation, describeActivation } from '../../kernels/activation.ts';
import { unary as kernel } from '../../kernels/tensor/unary.ts';
import type { ModelNode } from '../../loader/model.ts';
import { storageBytes } from '../shapes.ts';
import { constantScalar } from './onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface UnaryNode extends NodeBase {
  readonly op: 'Unary';
  readonly activation: Activation;
}

function draft(activation: Activation): Draft<UnaryNode> {
  return { op: 'Unary', activation };
}

/** Bounds are attributes up to opset 10, inputs 1 and 2 since. */
function clip(node: ModelNode, context: TranslateContext): Activation {
  const bound = (index: number, name: string, fallback: number) => {
    if (node.inputs[index]) return constantScalar(node, context, index, `a ${name}imum`);
    return node.attributes.float(name, fallback);
  };
  return { kind: 'clip', low: bound(1, 'min', -Infinity), high: bound(2, 'max', Infinity) };
}

export const unary: Operator<UnaryNode> = {
  onnx: {
    Relu: () => draft({ kind: 'relu' }),
    LeakyRelu: (node) => draft({ kind: 'leakyRelu', slope: node.attributes.float('alpha', 0.01) }),
    Clip: (node, context) => draft(clip(node, context)),
    Sigmoid: () => draft({ kind: 'sigmoid' }),
  },
  inferDims: (node, dimsOf) => dimsOf(node.inputs[0]!),
  describe: (node) => [describeActivation(node.activation)],
  images: 'apart',
  lower(node, to) {
    const layout = to.isPacked(node.inputs[0]!) ? 'packed' : 'plain';
    const vectors = storageBytes(node.output, to.dims(node.output), layout) / 16;
    to.emitNode(node, kernel(node.activation, vectors), layout);
  },
};
