import { ModelError } from '../../common/errors.ts';
import { type Dims, formatDims } from '../../common/tensor.ts';
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

/** @throws ModelError where `perm` is no permutation of the dimensions */
export function permuteDims(who: string, perm: readonly number[], dims: Dims): Dims {
  const sorted = [...perm].sort((a, b) => a - b);
  if (sorted.length !== dims.length || sorted.some((axis, i) => axis !== i)) {
    throw new ModelError(`${who}: perm ${perm} does not permute ${formatDims(dims)}`);
  }
  return perm.map((axis) => dims[axis]!);
}

export const transpose: Operator<TransposeNode> = {
  onnx: { Transpose: translate },
  inferDims: (node, dimsOf) => permuteDims(node.name, node.perm, dimsOf(node.inputs[0]!)),
  describe: (node) => [`perm ${node.perm}`],
  images: {
    apart: ({ perm }) => perm[0] === 0,
    deepen: (node) => ({ ...node, perm: [0, ...node.perm.map((axis) => axis + 1)] }),
  },
  lower: (node, to) => to.emitNode(node, kernel(to.dims(node.inputs[0]!), node.perm), 'plain'),
};
