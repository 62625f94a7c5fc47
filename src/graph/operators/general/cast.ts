import { type CastType, cast as kernel } from '../../../kernels/general/cast.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { storageBytes } from '../../shapes.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from '../operator.ts';
import { castsToFloat, type ReshapeNode } from '../reshape.ts';

/** What another type holds of numbers, which stay float32. */
export interface CastNode extends NodeBase {
  readonly op: 'Cast';
  readonly to: CastType;
}

/** ONNX's numbers of types; all integers beside bool are one here. */
const NARROW: Readonly<Record<number, CastType>> = { 9: 'bool', 10: 'float16', 16: 'bfloat16' };

function translate(node: ModelNode, context: TranslateContext): Draft<CastNode | ReshapeNode> {
  const to = NARROW[node.attributes.int('to')] ?? (castsToFloat(node) ? undefined : 'integer');
  // of the types of 8 bits, which are not among those
  node.attributes.int('saturate', 1);
  return to ? { op: 'Cast', to } : { op: 'Reshape', dims: context.dims(node.inputs[0]!) };
}

export const cast: Operator<CastNode> = {
  onnx: { Cast: translate },
  inferDims: (node, dimsOf) => dimsOf(node.inputs[0]!),
  describe: (node) => [node.to],
  givesIntegers: ({ to }) => to === 'integer',
  images: 'apart',
  lower(node, to) {
    const layout = to.isPacked(node.inputs[0]!) ? 'packed' : 'plain';
    const vectors = storageBytes(node.output, to.dims(node.output), layout) / 16;
    to.emitNode(node, kernel(node.to, vectors), layout);
  },
};
