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
  const input = node.inputs[0]!;
  const reversed = context
    .dims(input)
    .map((_, axis) => axis)
    .reverse();
  return { op: 'Transpose', inputs: [input], perm: node.attributes.ints('perm', reversed) };
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
  lower(node, to) {
    const input = node.inputs[0]!;
    to.emit(node.name, kernel(to.dims(input), node.perm), [to.read(input, 'plain'), to.define(node.output, 'plain')]);
  },
};
