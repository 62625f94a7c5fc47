import { ModelError } from '../../../common/errors.ts';
import { type Dims, formatDims, sizeOf } from '../../../common/tensor.ts';
import { topK as kernel, type TopKSpec } from '../../../kernels/general/top-k.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { normalizeAxis } from '../../shapes.ts';
import { constantInput, readFlag, readIntegers } from '../onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from '../operator.ts';

/** One of a TopK's two outputs. */
export interface TopKNode extends NodeBase, Pick<TopKSpec, 'k' | 'largest' | 'part'> {
  readonly op: 'TopK';
  readonly axis: number;
}

/** What a GPU compares in seconds: every element with all others of its slice. */
const MAX_COMPARISONS = 2 ** 35;

/** `k` is an attribute up to opset 9, an input since. */
function translate(node: ModelNode, context: TranslateContext): Draft<TopKNode>[] {
  const { attributes } = node;
  const x = context.dims(node.inputs[0]!);
  const axis = normalizeAxis(node.name, attributes.int('axis', -1), x.length);
  const [k] = node.inputs[1]
    ? readIntegers(node.name, constantInput(node, context, 1, 'k'), 'k', 1)
    : [attributes.int('k')];
  if (k === undefined || k < 1 || k > x[axis]!) {
    throw new ModelError(`${node.name}: expected k from 1 to ${x[axis]}, got ${k ?? 'none'}`);
  }
  const largest = readFlag(node, 'largest', 1);
  // where any order will do, this one does
  readFlag(node, 'sorted', 1);
  return (['values', 'indices'] as const).map((part) => ({ op: 'TopK', axis, k, largest, part }));
}

function inferDims({ name, inputs, axis, k }: TopKNode, dimsOf: (value: string) => Dims): Dims {
  const x = dimsOf(inputs[0]!);
  if (sizeOf(x) * x[axis]! > MAX_COMPARISONS) {
    throw new ModelError(
      `${name}: expected at most ${MAX_COMPARISONS} comparisons for axis ${axis} of ${formatDims(x)}`,
    );
  }
  return x.with(axis, k);
}

export const topK: Operator<TopKNode> = {
  onnx: { TopK: translate },
  inferDims,
  describe: ({ axis, k, largest, part }) => [`${part} of the ${k} ${largest ? 'largest' : 'smallest'}, axis ${axis}`],
  givesIntegers: ({ part }) => part === 'indices',
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower(node, to) {
    const x = to.dims(node.inputs[0]!);
    const { axis } = node;
    const [outer, inner] = [sizeOf(x.slice(0, axis)), sizeOf(x.slice(axis + 1))];
    to.emitNode(node, kernel({ ...node, outer, axis: x[axis]!, inner }), 'plain');
  },
};
