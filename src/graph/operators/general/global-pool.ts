import { globalPool as kernel } from '../../../kernels/general/global-pool.ts';
import { asDims4, layoutSpec } from '../../shapes.ts';
import type { Draft, NodeBase, Operator } from '../operator.ts';

export interface GlobalPoolNode extends NodeBase {
  readonly op: 'GlobalPool';
  readonly kind: 'max' | 'average';
}

function draft(kind: GlobalPoolNode['kind']): Draft<GlobalPoolNode> {
  return { op: 'GlobalPool', kind };
}

export const globalPool: Operator<GlobalPoolNode> = {
  onnx: {
    GlobalMaxPool: () => draft('max'),
    GlobalAveragePool: () => draft('average'),
  },
  inferDims(node, dimsOf) {
    const [n, c] = asDims4(node.name, dimsOf(node.inputs[0]!));
    return [n, c, 1, 1];
  },
  describe: (node) => [node.kind],
  images: 'apart',
  lower(node, to) {
    const spec = layoutSpec(asDims4(node.name, to.dims(node.inputs[0]!)));
    to.emitNode(node, kernel({ kind: node.kind, ...spec }), 'packed');
  },
};
