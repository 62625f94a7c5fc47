import type { Dims } from '../../common/tensor.ts';
import { type BatchNormNode, batchNorm } from './batchnorm.ts';
import { type BinaryNode, binary } from './binary.ts';
import { type ConcatNode, concat } from './concat.ts';
import { type ConvNode, conv } from './conv.ts';
import { type GlobalPoolNode, globalPool } from './global-pool.ts';
import { type GroupNormNode, groupNorm } from './group-norm.ts';
import type { LowerContext, Operator, Translate } from './operator.ts';
import { type PoolNode, pool } from './pool.ts';
import { type ReshapeNode, reshape } from './reshape.ts';
import { type ResizeNode, resize } from './resize.ts';
import { type SliceNode, slice } from './slice.ts';
import { type SoftmaxNode, softmax } from './softmax.ts';
import { type TransposeNode, transpose } from './transpose.ts';
import { type UnaryNode, unary } from './unary.ts';

export type Node =
  | BatchNormNode
  | BinaryNode
  | ConcatNode
  | ConvNode
  | GlobalPoolNode
  | GroupNormNode
  | PoolNode
  | ReshapeNode
  | ResizeNode
  | SliceNode
  | SoftmaxNode
  | TransposeNode
  | UnaryNode;

/** Every operator that there is. */
const OPERATORS: { readonly [Op in Node['op']]: Operator<Extract<Node, { op: Op }>> } = {
  BatchNorm: batchNorm,
  Binary: binary,
  Concat: concat,
  Conv: conv,
  GlobalPool: globalPool,
  GroupNorm: groupNorm,
  Pool: pool,
  Reshape: reshape,
  Resize: resize,
  Slice: slice,
  Softmax: softmax,
  Transpose: transpose,
  Unary: unary,
};

function operatorOf(node: Node): Operator<Node> {
  // each reads nodes of its own kind, which TypeScript does not follow through the table
  return OPERATORS[node.op] as unknown as Operator<Node>;
}

/** ONNX operators that become nodes at run time. */
export function mappedOperators(): string[] {
  return Object.values(OPERATORS).flatMap(({ onnx }) => Object.keys(onnx));
}

/** How an ONNX operator becomes a node; undefined where it has no mapping. */
export function translatorOf(op: string): Translate | undefined {
  return Object.values(OPERATORS).find(({ onnx }) => Object.hasOwn(onnx, op))?.onnx[op];
}

/** Names of the constants that a node reads besides its inputs. */
export function constantNames(node: Node): string[] {
  return operatorOf(node).constants?.(node) ?? [];
}

/** The output shape that a node's attributes and input shapes imply. @throws ModelError where they disagree */
export function inferDims(node: Node, dimsOf: (value: string) => Dims): Dims {
  return operatorOf(node).inferDims(node, dimsOf);
}

export function describeAttributes(node: Node): string[] {
  return operatorOf(node).describe?.(node) ?? [];
}

export function lowerNode(node: Node, to: LowerContext): void {
  operatorOf(node).lower(node, to);
}
