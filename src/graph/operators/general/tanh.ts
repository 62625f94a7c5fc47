import { tanh as kernel } from '../../../kernels/general/tanh.ts';
import { storageBytes } from '../../shapes.ts';
import type { Draft, NodeBase, Operator } from '../operator.ts';

export interface TanhNode extends NodeBase {
  readonly op: 'Tanh';
}

function translate(): Draft<TanhNode> {
  return { op: 'Tanh' };
}

export const tanh: Operator<TanhNode> = {
  onnx: { Tanh: translate },
  inferDims: (node, dimsOf) => dimsOf(node.inputs[0]!),
  images: 'apart',
  lower(node, to) {
    const layout = to.isPacked(node.inputs[0]!) ? 'packed' : 'plain';
    const vectors = storageBytes(node.output, to.dims(node.output), layout) / 16;
    to.emitNode(node, kernel(vectors), layout);
  },
};
