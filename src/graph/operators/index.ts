import type { Dims } from '../../common/tensor.ts';
import { batchNorm } from './batchnorm.ts';
import { binary } from './binary.ts';
import { concat } from './concat.ts';
import { conv } from './conv.ts';
import type { GENERAL_OPERATORS } from './general/index.ts';
import { groupNorm } from './group-norm.ts';
import type { HARDWARE_OPERATORS } from './hardware/index.ts';
import type { ImageRule, LowerContext, Operator, Translate } from './operator.ts';
import { pool } from './pool.ts';
import { reshape } from './reshape.ts';
import { resize } from './resize.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { transpose } from './transpose.ts';
import { unary } from './unary.ts';

/** The operators of detectors, by the `op` of their nodes. */
const OPERATORS = {
  BatchNorm: batchNorm,
  Binary: binary,
  Concat: concat,
  Conv: conv,
  GroupNorm: groupNorm,
  Pool: pool,
  Reshape: reshape,
  Resize: resize,
  Slice: slice,
  Softmax: softmax,
  Transpose: transpose,
  Unary: unary,
};

type LoadedOperators = typeof GENERAL_OPERATORS & typeof HARDWARE_OPERATORS;
type Operators = typeof OPERATORS & LoadedOperators;
type NodeOf<O> = O extends Operator<infer N> ? N : never;
export type Node = NodeOf<Operators[keyof Operators]>;

/** Those of other networks, once a model has asked for them, and of hardware: see load-operators.ts and load-target.ts. */
let loaded: Partial<LoadedOperators> = {};

export function addOperators(operators: Partial<LoadedOperators>): void {
  loaded = { ...loaded, ...operators };
  translators = undefined;
}

function allOperators(): Operator<Node>[] {
  // each reads nodes of its own kind, which TypeScript does not follow through the table
  return Object.values({ ...OPERATORS, ...loaded }) as unknown as Operator<Node>[];
}

function operatorOf({ op }: Node): Operator<Node> {
  return (Object.hasOwn(OPERATORS, op) ? OPERATORS : loaded)[op as never] as Operator<Node>;
}

/** ONNX operators that become nodes at run time, those of other networks once they are loaded. */
export function mappedOperators(): string[] {
  return allOperators().flatMap(({ onnx }) => Object.keys(onnx));
}

let translators: ReadonlyMap<string, Translate> | undefined;

/** How an ONNX operator becomes a node; undefined where it has no mapping. */
export function translatorOf(op: string): Translate | undefined {
  translators ??= new Map(allOperators().flatMap(({ onnx }) => Object.entries(onnx)));
  return translators.get(op);
}

/** Names of the constants that a node reads besides its inputs. */
export function constantNames(node: Node): string[] {
  return operatorOf(node).constants?.(node) ?? [];
}

/** The output shape that a node's attributes and input shapes imply. @throws ModelError where they disagree */
export function inferDims(node: Node, dimsOf: (value: string) => Dims): Dims {
  return operatorOf(node).inferDims(node, dimsOf);
}

/** How a node made for one image serves a batch; undefined where nobody has said it. */
export function imageRule(node: Node): ImageRule<Node> | undefined {
  return operatorOf(node).images;
}

export function describeAttributes(node: Node): string[] {
  return operatorOf(node).describe?.(node) ?? [];
}

/** Whether a node makes integers of floats. */
export function givesIntegers(node: Node): boolean {
  return operatorOf(node).givesIntegers?.(node) ?? false;
}

export function lowerNode(node: Node, to: LowerContext): void {
  operatorOf(node).lower(node, to);
}
