import type { Dims, FloatTensor } from '../common/tensor.ts';
import type { Activation } from '../kernels/activation.ts';
import type { BinaryOperation } from '../kernels/tensor/binary.ts';
import type { ResizeMode } from '../kernels/tensor/resize.ts';

/** Height, width. */
export type Pair = readonly [number, number];
/** Top, left, bottom, right. */
export type Pads = readonly [number, number, number, number];

interface NodeBase {
  /** The ONNX node's name; a fused node keeps its convolution's. */
  readonly name: string;
  /** Values computed at run time, and for `Binary` also constants. Never empty. */
  readonly inputs: readonly string[];
  readonly output: string;
}

export interface ConvNode extends NodeBase {
  readonly op: 'Conv';
  /** Constants: `[out, in / group, kh, kw]` and `[out]`. */
  readonly weight: string;
  readonly bias: string | null;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly group: number;
  /** 0: none; s: `inputs[1]`, s times smaller than the output, is added before the activation. */
  readonly residualUpsample: number;
  readonly activation: Activation;
}

export interface BatchNormNode extends NodeBase {
  readonly op: 'BatchNorm';
  /** Constants `[channels]`: gamma, beta, mean, variance. */
  readonly gamma: string;
  readonly beta: string;
  readonly mean: string;
  readonly variance: string;
  readonly epsilon: number;
}

export interface NormNode extends NodeBase {
  /** Instance normalisation is the case of as many groups as channels. */
  readonly op: 'GroupNorm';
  readonly groups: number;
  /** Constants `[channels]`. */
  readonly scale: string;
  readonly shift: string;
  readonly epsilon: number;
  readonly activation: Activation;
}

export interface PoolNode extends NodeBase {
  readonly op: 'Pool';
  readonly kind: 'max' | 'average';
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

export interface GlobalPoolNode extends NodeBase {
  readonly op: 'GlobalPool';
  readonly kind: 'max' | 'average';
}

export interface ResizeNode extends NodeBase {
  readonly op: 'Resize';
  readonly mode: ResizeMode;
  /** Of height and width, as the file gives them or output / input. */
  readonly scales: Pair;
  readonly size: Pair;
}

export interface BinaryNode extends NodeBase {
  readonly op: 'Binary';
  readonly operation: BinaryOperation;
}

export interface UnaryNode extends NodeBase {
  readonly op: 'Unary';
  readonly activation: Activation;
}

export interface SoftmaxNode extends NodeBase {
  readonly op: 'Softmax';
  readonly axis: number;
  /** Before opset 13 all dimensions from the axis on count as one. */
  readonly flatten: boolean;
}

export interface ConcatNode extends NodeBase {
  readonly op: 'Concat';
  readonly axis: number;
}

export interface TransposeNode extends NodeBase {
  readonly op: 'Transpose';
  readonly perm: readonly number[];
}

export interface SliceNode extends NodeBase {
  readonly op: 'Slice';
  /** First index and step (at least 1) of every dimension. */
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly dims: Dims;
}

/** Also Flatten, Squeeze and Unsqueeze. */
export interface ReshapeNode extends NodeBase {
  readonly op: 'Reshape';
  readonly dims: Dims;
}

export type Node =
  | ConvNode
  | BatchNormNode
  | NormNode
  | PoolNode
  | GlobalPoolNode
  | ResizeNode
  | BinaryNode
  | UnaryNode
  | SoftmaxNode
  | ConcatNode
  | TransposeNode
  | SliceNode
  | ReshapeNode;

/** A network for one input size: topologically ordered nodes over named values of known shape. */
export interface Graph {
  /** The one run-time input. */
  readonly input: string;
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Of every value, the input and constants included. */
  readonly dims: ReadonlyMap<string, Dims>;
  readonly constants: ReadonlyMap<string, FloatTensor>;
}

/** One rewrite. Never changes the graph it is given. */
export type Pass = (graph: Graph) => Graph;

export function dimsOf(graph: Pick<Graph, 'dims'>, value: string): Dims {
  const dims = graph.dims.get(value);
  if (!dims) throw new Error(`value "${value}" has no shape`);
  return dims;
}

export function constantOf(graph: Pick<Graph, 'constants'>, value: string): FloatTensor {
  const constant = graph.constants.get(value);
  if (!constant) throw new Error(`value "${value}" is not a constant`);
  return constant;
}

/** Names of the constants that a node reads besides its inputs. */
export function constantNames(node: Node): string[] {
  switch (node.op) {
    case 'Conv':
      return node.bias === null ? [node.weight] : [node.weight, node.bias];
    case 'BatchNorm':
      return [node.gamma, node.beta, node.mean, node.variance];
    case 'GroupNorm':
      return [node.scale, node.shift];
    default:
      return [];
  }
}

/** How often each value is read, graph outputs counted. */
export function countUses(graph: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}
