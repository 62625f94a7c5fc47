import { ModelError } from '../../../common/errors.ts';
import { type Dims, formatDims, rowMajorStrides, sizeOf } from '../../../common/tensor.ts';
import { take as kernel, packPicks } from '../../../kernels/general/take.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { normalizeAxis } from '../../shapes.ts';
import { constantInput, readIntegers } from '../onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from '../operator.ts';

/** Elements by constant indices: also GatherElements and GatherND. */
export interface GatherNode extends NodeBase {
  readonly op: 'Gather';
  /** The dimensions that indices go over, as one: the first of them, and how many. */
  readonly axis: number;
  readonly span: number;
  readonly picks: readonly number[];
  /** Dimensions of the output in their place. */
  readonly indexDims: Dims;
}

function readIndices(node: ModelNode, context: TranslateContext): { dims: Dims; values: readonly number[] } {
  const tensor = constantInput(node, context, 1, 'indices');
  context.spend(node, tensor.dims);
  return { dims: tensor.dims, values: readIntegers(node.name, tensor, 'indices', Number.POSITIVE_INFINITY) };
}

function gatherAxis(node: ModelNode, context: TranslateContext): Draft<GatherNode> {
  const x = context.dims(node.inputs[0]!);
  const axis = normalizeAxis(node.name, node.attributes.int('axis', 0), x.length);
  const { dims, values } = readIndices(node, context);
  const picks = values.map((value) => normalizeAxis(node.name, value, x[axis]!));
  return { op: 'Gather', axis, span: 1, picks, indexDims: dims };
}

function gatherElements(node: ModelNode, context: TranslateContext): Draft<GatherNode> {
  const x = context.dims(node.inputs[0]!);
  const axis = normalizeAxis(node.name, node.attributes.int('axis', 0), x.length);
  const { dims, values } = readIndices(node, context);
  if (dims.length !== x.length || dims.some((dim, i) => i !== axis && dim > x[i]!)) {
    throw new ModelError(`${node.name}: indices of ${formatDims(dims)} do not fit ${formatDims(x)} off axis ${axis}`);
  }
  const strides = rowMajorStrides(x);
  const indexStrides = rowMajorStrides(dims);
  const picks = values.map((value, i) =>
    strides.reduce((at, stride, k) => {
      const place = Math.floor(i / indexStrides[k]!) % dims[k]!;
      return at + stride * (k === axis ? normalizeAxis(node.name, value, x[k]!) : place);
    }, 0),
  );
  return { op: 'Gather', axis: 0, span: x.length, picks, indexDims: dims };
}

function gatherNd(node: ModelNode, context: TranslateContext): Draft<GatherNode> {
  const x = context.dims(node.inputs[0]!);
  const batchDims = node.attributes.int('batch_dims', 0);
  const { dims, values } = readIndices(node, context);
  const indexDims = dims.slice(0, -1);
  const length = dims.at(-1) ?? 0;
  const span = batchDims + length;
  const fits = x.slice(0, batchDims).every((dim, i) => dim === indexDims[i]);
  if (batchDims < 0 || length < 1 || span > x.length || !fits) {
    throw new ModelError(`${node.name}: indices of ${formatDims(dims)} do not fit ${formatDims(x)}`);
  }
  const strides = rowMajorStrides(x.slice(0, span));
  const inBatch = sizeOf(indexDims.slice(batchDims));
  const batchStride = strides[batchDims - 1] ?? 0;
  const picks = Array.from({ length: sizeOf(indexDims) }, (_, i) => {
    let at = Math.floor(i / inBatch) * batchStride;
    for (let k = 0; k < length; k++) {
      const axis = batchDims + k;
      at += strides[axis]! * normalizeAxis(node.name, values[i * length + k]!, x[axis]!);
    }
    return at;
  });
  return { op: 'Gather', axis: 0, span, picks, indexDims };
}

function lower(node: GatherNode, to: LowerContext): void {
  const { axis, span, picks } = node;
  const x = to.dims(node.inputs[0]!);
  const table = to.constant(`${node.output}@picks ${picks.length}`, () => packPicks(picks));
  const [outer, size] = [sizeOf(x.slice(0, axis)), sizeOf(x.slice(axis, axis + span))];
  to.emitNode(node, kernel(outer, size, sizeOf(x.slice(axis + span)), picks.length), 'plain', [table]);
}

export const gather: Operator<GatherNode> = {
  onnx: { Gather: gatherAxis, GatherElements: gatherElements, GatherND: gatherNd },
  inferDims({ name, inputs, axis, span, picks, indexDims }, dimsOf) {
    const x = dimsOf(inputs[0]!);
    const size = sizeOf(x.slice(axis, axis + span));
    if (axis + span > x.length || picks.length !== sizeOf(indexDims) || picks.some((pick) => pick >= size)) {
      throw new ModelError(`${name}: indices of ${formatDims(indexDims)} leave ${formatDims(x)}`);
    }
    return [...x.slice(0, axis), ...indexDims, ...x.slice(axis + span)];
  },
  describe: ({ axis, picks }) => [`axis ${axis}`, `${picks.length} picks`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower,
};
