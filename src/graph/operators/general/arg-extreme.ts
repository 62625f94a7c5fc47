import { sizeOf } from '../../../common/tensor.ts';
import { argExtreme as kernel } from '../../../kernels/general/arg-extreme.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { checkAxis, normalizeAxis } from '../../shapes.ts';
import { readFlag } from '../onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from '../operator.ts';
import { reducedDims } from './reduce.ts';

/** Where the largest or smallest number is along an axis: an integer, as a float. */
export interface ArgExtremeNode extends NodeBase {
  readonly op: 'ArgExtreme';
  readonly kind: 'max' | 'min';
  readonly axis: number;
  readonly keepDims: boolean;
  /** Of equal ones the last. */
  readonly last: boolean;
}

function translate(node: ModelNode, context: TranslateContext, kind: 'max' | 'min'): Draft<ArgExtremeNode> {
  const rank = context.dims(node.inputs[0]!).length;
  return {
    op: 'ArgExtreme',
    kind,
    axis: normalizeAxis(node.name, node.attributes.int('axis', 0), rank),
    keepDims: readFlag(node, 'keepdims', 1),
    last: readFlag(node, 'select_last_index'),
  };
}

export const argExtreme: Operator<ArgExtremeNode> = {
  onnx: {
    ArgMax: (node, context) => translate(node, context, 'max'),
    ArgMin: (node, context) => translate(node, context, 'min'),
  },
  inferDims: (node, dimsOf) =>
    reducedDims(checkAxis(node.name, node.axis, dimsOf(node.inputs[0]!)), [node.axis], node.keepDims),
  describe: (node) => [node.kind, `axis ${node.axis}`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower(node, to) {
    const dims = to.dims(node.inputs[0]!);
    const spec = {
      outer: sizeOf(dims.slice(0, node.axis)),
      axis: dims[node.axis]!,
      inner: sizeOf(dims.slice(node.axis + 1)),
    };
    to.emitNode(node, kernel(spec, node.kind, node.last), 'plain');
  },
};
