import { ModelError } from '../../common/errors.ts';
import { formatDims } from '../../common/tensor.ts';
import { transpose as kernel } from '../../kernels/tensor/strided-copy.ts';
import type { ModelNode } from '../../loader/model.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface TransposeNode extends NodeBase {
  readonly op: 'Transpose';
  readonly perm: readonly number[];
}

function translate(node: ModelNode, context: TranslateContext): Draft<TransposeNode> {
  const reversed = context
    .dims(node.inputs[0]!)
    .map((_, axis) => axis)
    .reverse();
  return { op: 'Transpose', perm: node.attributes.ints('perm', reversed) };
}

export const transpose: Operator<TransposeNode> = {
  onnx: { Transpose: translate },
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    const sorted = [...node.perm].sort((a, b) => a - b);
    if (sorted.length !== x.length || sorted.some((axis, i) => axis !== i)) {
      throw new ModelError(`${node.name}: perm ${node.perm} does not permute ${formatDims(x)}`);
    }
    return node.perm.map((axis) => x[axis]!);
  },
  describe: (node) => [`perm ${node.perm}`],
  lower: (node, to) => to.emitNode(node, kernel(to.dims(node.inputs[0]!), node.perm), 'plain'),
};
