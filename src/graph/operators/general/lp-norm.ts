import { sizeOf } from '../../../common/tensor.ts';
import { lpNorm as kernel } from '../../../kernels/general/lp-norm.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { checkAxis, normalizeAxis } from '../../shapes.ts';
import { unsupported } from '../onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from '../operator.ts';

export interface LpNormNode extends NodeBase {
  readonly op: 'LpNorm';
  readonly axis: number;
  readonly p: 1 | 2;
}

function translate(node: ModelNode, context: TranslateContext): Draft<LpNormNode> {
  const rank = context.dims(node.inputs[0]!).length;
  const p = node.attributes.int('p', 2);
  if (p !== 1 && p !== 2) unsupported(node, `with p ${p} has no mapping`);
  return { op: 'LpNorm', axis: normalizeAxis(node.name, node.attributes.int('axis', -1), rank), p };
}

export const lpNorm: Operator<LpNormNode> = {
  onnx: { LpNormalization: translate },
  inferDims: (node, dimsOf) => checkAxis(node.name, node.axis, dimsOf(node.inputs[0]!)),
  describe: (node) => [`p ${node.p}`, `axis ${node.axis}`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower(node, to) {
    const dims = to.dims(node.output);
    const [outer, inner] = [sizeOf(dims.slice(0, node.axis)), sizeOf(dims.slice(node.axis + 1))];
    to.emitNode(node, kernel({ outer, axis: dims[node.axis]!, inner }, node.p), 'plain');
  },
};
