import { ModelError } from '../../../common/errors.ts';
import type { Dims } from '../../../common/tensor.ts';
import { where as kernel } from '../../../kernels/general/where.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { broadcastDims } from '../../shapes.ts';
import type { Draft, NodeBase, Operator } from '../operator.ts';

/** Of the second or the third input what the first, 0 or not, chooses. */
export interface WhereNode extends NodeBase {
  readonly op: 'Where';
}

function translate(node: ModelNode): Draft<WhereNode> {
  const missing = [0, 1, 2].find((i) => !node.inputs[i]);
  if (missing !== undefined) throw new ModelError(`${node.name}: Where expects input ${missing}, got none`);
  return { op: 'Where', inputs: node.inputs };
}

export const where: Operator<WhereNode> = {
  onnx: { Where: translate },
  inferDims: (node, dimsOf) =>
    node.inputs.map(dimsOf).reduce<Dims>((dims, other) => broadcastDims(node.name, dims, other), []),
  images: 'broadcast',
  lower(node, to) {
    const [condition, a, b] = node.inputs.map((input) => to.dims(input)) as [Dims, Dims, Dims];
    to.emitNode(node, kernel(condition, a, b, to.dims(node.output)), 'plain');
  },
};
