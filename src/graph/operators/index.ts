import type { Dims } from '../../common/tensor.ts';
import { batchNorm } from './batchnorm.ts';
import { binary } from './binary.ts';
import { concat } from './concat.ts';
import { conv } from './conv.ts';
import { globalPool } from './global-pool.ts';
import { groupNorm } from './group-norm.ts';
import type { LowerContext, Operator, Translate } from './operator.ts';
import { pool } from './pool.ts';
import { reshape } from './reshape.ts';
import { resize } from './resize.ts';
import { separable } from './separable.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { tanh } from './tanh.ts';
import { transpose } from './transpose.ts';
import { unary } from './unary.ts';

/** Every operator that there is, by the `op` of its nodes. */
const OPERATORS = {
  BatchNorm: batchNorm,
  Binary: binary,
  Concat: concat,
  Conv: conv,
  GlobalPool: globalPool,
  GroupNorm: groupNorm,
  Pool: pool,
  Reshape: reshape,
  Resize: resize,
  Separable: separable,
  Slice: slice,
  Softmax: softmax,
  Tanh: tanh,
  Transpose: transpose,
  Unary: unary,
};

type NodeOf<O> = O extends Operator<infer N> ? N : never;
export type Node = NodeOf<(typeof OPERATORS)[keyof typeof OPERATORS]>;

function operatorOf(node: Node): Operator<Node> {
  const byOp: { readonly [Op in Node['op']]: Operator<Extract<Node, { op: Op }>> } = OPERATORS;
  // each reads nodes of its own kind, which TypeScript does not follow through the table
  return byOp[node.op] as unknown as Operator<Node>;
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
