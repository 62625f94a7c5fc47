import { tanh as kernel } from '../../kernels/tensor/tanh.ts';
import type { ModelNode } from '../../loader/model.ts';
import { storageBytes } from '../shapes.ts';
import type { Draft, NodeBase, Operator } from './operator.ts';

export interface TanhNode extends NodeBase {
  readonly op: 'Tanh';
}

function translate(node: ModelNode): Draft<TanhNode> {
  return { op: 'Tanh', inputs: [node.inputs[0]!] };
}

export const tanh: Operator<TanhNode> = {
  onnx: { Tanh: translate },
  inferDims: (node, dimsOf) => dimsOf(node.inputs[0]!),
  lower(node, to) {
    const input = node.inputs[0]!;
    const layout = to.isPacked(input) ? 'packed' : 'plain';
    const vectors = storageBytes(node.output, to.dims(node.output), layout) / 16;
    to.emit(node.name, kernel(vectors), [to.read(input, layout), to.define(node.output, layout)]);
  },
};
