import { ModelError } from '../../../common/errors.ts';
import { sizeOf } from '../../../common/tensor.ts';
import { lrn as kernel, type LrnSpec } from '../../../kernels/general/lrn.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { checkAxis } from '../../shapes.ts';
import type { Draft, NodeBase, Operator } from '../operator.ts';

export interface LrnNode extends NodeBase, LrnSpec {
  readonly op: 'Lrn';
}

function translate(node: ModelNode): Draft<LrnNode> {
  const { attributes } = node;
  const size = attributes.int('size');
  if (size < 1) throw new ModelError(`${node.name}: expected a size of at least 1, got ${size}`);
  const [alpha, beta, bias] = [
    attributes.float('alpha', 1e-4),
    attributes.float('beta', 0.75),
    attributes.float('bias', 1),
  ];
  return { op: 'Lrn', size, alpha, beta, bias };
}

export const lrn: Operator<LrnNode> = {
  onnx: { LRN: translate },
  inferDims: (node, dimsOf) => checkAxis(node.name, 1, dimsOf(node.inputs[0]!)),
  describe: ({ size }) => [`${size} channels`],
  images: 'apart',
  lower(node, to) {
    const [batch, channels, ...rest] = to.dims(node.output) as [number, number, ...number[]];
    to.emitNode(node, kernel(batch, channels, sizeOf(rest), node), 'plain');
  },
};
