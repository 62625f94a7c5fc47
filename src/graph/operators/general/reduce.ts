import type { Dims } from '../../../common/tensor.ts';
import { reduce as kernel, type Reduction } from '../../../kernels/general/reduce.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { normalizeAxis } from '../../shapes.ts';
import { constantInput, readFlag } from '../onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from '../operator.ts';
import { type ReshapeNode, readAxes } from '../reshape.ts';
import type { GlobalPoolNode } from './global-pool.ts';

export interface ReduceNode extends NodeBase {
  readonly op: 'Reduce';
  readonly reduction: Reduction;
  /** In order, each once. */
  readonly axes: readonly number[];
  /** Whether they stay, as dimensions of 1. */
  readonly keepDims: boolean;
}

/** Axes are an attribute, or since opset 13 (ReduceSum) and 18 an input; without them all go, or none where the file says so. */
export function reducedAxes(node: ModelNode, rank: number, given: readonly number[] | null): number[] {
  const noop = readFlag(node, 'noop_with_empty_axes');
  if (!given || given.length === 0) return noop ? [] : Array.from({ length: rank }, (_, axis) => axis);
  return [...new Set(given.map((axis) => normalizeAxis(node.name, axis, rank)))].sort((a, b) => a - b);
}

/** @returns `dims` without what goes, or with ones there */
export function reducedDims(dims: Dims, axes: readonly number[], keepDims: boolean): Dims {
  return keepDims
    ? dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    : dims.filter((_, axis) => !axes.includes(axis));
}

function translate(
  node: ModelNode,
  context: TranslateContext,
  reduction: Reduction,
): Draft<ReduceNode | GlobalPoolNode | ReshapeNode> {
  const x = context.dims(node.inputs[0]!);
  const input = node.inputs[1] ? constantInput(node, context, 1, 'axes') : undefined;
  const axes = reducedAxes(node, x.length, readAxes(node, input));
  const keepDims = readFlag(node, 'keepdims', 1);
  if (reduction === 'mean' && keepDims && x.length === 4 && axes.join() === '2,3') {
    return { op: 'GlobalPool', kind: 'average' };
  }
  return { op: 'Reduce', reduction, axes, keepDims };
}

export const reduce: Operator<ReduceNode> = {
  onnx: {
    ReduceSum: (node, context) => translate(node, context, 'sum'),
    ReduceMean: (node, context) => translate(node, context, 'mean'),
    ReduceMax: (node, context) => translate(node, context, 'max'),
    ReduceMin: (node, context) => translate(node, context, 'min'),
    ReduceProd: (node, context) => translate(node, context, 'prod'),
    ReduceL1: (node, context) => translate(node, context, 'l1'),
    ReduceL2: (node, context) => translate(node, context, 'l2'),
    ReduceSumSquare: (node, context) => translate(node, context, 'sumSquare'),
    ReduceLogSum: (node, context) => translate(node, context, 'logSum'),
    ReduceLogSumExp: (node, context) => translate(node, context, 'logSumExp'),
  },
  inferDims: (node, dimsOf) => reducedDims(dimsOf(node.inputs[0]!), node.axes, node.keepDims),
  describe: (node) => [node.reduction, `axes ${node.axes}`],
  images: {
    apart: ({ axes }) => !axes.includes(0),
    deepen: (node) => ({ ...node, axes: node.axes.map((axis) => axis + 1) }),
  },
  lower(node, to) {
    to.emitNode(node, kernel(node.reduction, to.dims(node.inputs[0]!), new Set(node.axes)), 'plain');
  },
};
