import { globalPool as kernel } from '../../kernels/tensor/global-pool.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, layoutSpec } from '../shapes.ts';
import type { Draft, NodeBase, Operator } from './operator.ts';

export interface GlobalPoolNode extends NodeBase {
  readonly op: 'GlobalPool';
  readonly kind: 'max' | 'average';
}

function draft(node: ModelNode, kind: GlobalPoolNode['kind']): Draft<GlobalPoolNode> {
  return { op: 'GlobalPool', kind, inputs: [node.inputs[0]!] };
}

export const globalPool: Operator<GlobalPoolNode> = {
  onnx: {
    GlobalMaxPool: (node) => draft(node, 'max'),
    GlobalAveragePool: (node) => draft(node, 'average'),
  },
  inferDims(node, dimsOf) {
    const [n, c] = asDims4(node.name, dimsOf(node.inputs[0]!));
    return [n, c, 1, 1];
  },
  describe: (node) => [node.kind],
  lower(node, to) {
    const input = node.inputs[0]!;
    const dispatch = kernel({ kind: node.kind, ...layoutSpec(asDims4(node.name, to.dims(input))) });
    to.emit(node.name, dispatch, [to.read(input, 'packed'), to.define(node.output, 'packed')]);
  },
};
