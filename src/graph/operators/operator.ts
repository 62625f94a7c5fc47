import type { Dims, FloatTensor, Tensor } from '../../common/tensor.ts';
import type { ConvPlan } from '../../kernels/conv/methods.ts';
import type { ConvSpec } from '../../kernels/conv/spec.ts';
import type { AdapterTraits, Dispatch } from '../../kernels/dispatch.ts';
import type { ModelNode } from '../../loader/model.ts';
import type { ConstantData, Operand } from '../plan.ts';

export interface NodeBase {
  readonly op: string;
  /** The ONNX node's name; a fused node keeps its convolution's. */
  readonly name: string;
  /** Values computed at run time, and for `Binary` also constants. Never empty. */
  readonly inputs: readonly string[];
  readonly output: string;
}

/** What a translator of an ONNX operator may ask. */
export interface TranslateContext {
  readonly opset: number;
  /** Images that shapes baked for one image are spread over: 1 where the file declares the batch that it is built for. */
  readonly batch: number;
  /** Says that a shape that was baked for one image is taken for each image of the batch. */
  spreadBatch(): void;
  dims(value: string): Dims;
  constant(value: string): Tensor | undefined;
  /** Counts elements that a node makes of constants. @throws ModelError where a file makes too many */
  spend(node: ModelNode, dims: Dims): void;
}

/** A node that lacks what it takes from its ONNX node alone; of its inputs it has the first, where it names none. */
export type Draft<N extends NodeBase = NodeBase> = N extends NodeBase
  ? Omit<N, 'name' | 'inputs' | 'output'> & Partial<Pick<N, 'inputs'>>
  : never;

/** One run-time ONNX node as one of the graph's, or as one for each of its outputs. @throws ModelError, UnsupportedOpError naming the node */
export type Translate = (node: ModelNode, context: TranslateContext) => Draft | readonly Draft[];

/** `packed` is NC4HW4, which all image kernels use; `plain` is row-major, for tails of any rank. */
export type Layout = 'packed' | 'plain';

/** A tensor in one layout before it has a buffer. */
export interface Value {
  readonly kind: 'value';
  readonly id: number;
  /** Stored as half floats. */
  readonly half: boolean;
}

/** What a launch reads or writes, before values have buffers. */
export type Source = Value | Exclude<Operand, { kind: 'buffer' }>;

/** The same launch by workgroups of so many invocations, where that is to be had. */
export type Resize = (invocations: number) => Dispatch | undefined;

/** What an operator's lowering may ask and do. */
export interface LowerContext {
  /** Of the adapter that the launches are for. */
  readonly traits: AdapterTraits;
  dims(value: string): Dims;
  /** A constant of the graph. */
  constantOf(value: string): FloatTensor;
  /** Whether a value can be read packed without a conversion. */
  isPacked(value: string): boolean;
  isConstant(value: string): boolean;
  /** A value or constant in the layout asked for, converted if need be. */
  read(value: string, layout: Layout): Source;
  /** Makes a buffer for a value that the next launch computes. */
  define(value: string, layout: Layout): Value;
  /** Says that a value's row-major elements are those of another one. */
  alias(value: string, of: string): void;
  /** A constant for the kernels by key, made once. */
  constant(key: string, make: () => ConstantData): Extract<Operand, { kind: 'constant' }>;
  /** A buffer that is no tensor of the graph. */
  scratch(bytes: number): Value;
  /** The launches that compute a convolution on this adapter. */
  planConv(spec: ConvSpec): ConvPlan;
  /** Adds a launch; operands are inputs first, output last. */
  emit(node: string, dispatch: Dispatch, operands: readonly Source[], resize?: Resize): void;
  /** Adds the launch that computes a node from its inputs and these constants or scratch buffers, and defines its output. */
  emitNode(node: NodeBase, dispatch: Dispatch, layout: Layout, besides?: readonly Source[]): void;
}

/**
 * How a node of a file that is made for one image serves a batch: the images' values lie one behind the other along the leading dimension,
 * and each must become what it is alone.
 */
export type ImageRule<N extends NodeBase> =
  /** Entries along the leading dimension are computed apart, whatever the attributes. */
  | 'apart'
  /** So they are where operands have them all; they are aligned as numpy broadcasts, and constants serve all images. */
  | 'broadcast'
  | {
      /** Whether this node computes entries along the leading dimension apart, given the shapes for one image. */
      apart(node: N, dimsOf: (value: string) => Dims, isConstant: (value: string) => boolean): boolean;
      /** The node for inputs with one more dimension in front, of this many images, where they are not apart otherwise; undefined for none. */
      deepen(node: N, images: number, dimsOf: (value: string) => Dims): N | undefined;
      /** Constants among the inputs serve all images; otherwise each gets its own. */
      readonly keepsConstants?: true;
    };

/** One operator of the graph, from ONNX to kernel launches. */
export interface Operator<N extends NodeBase> {
  /** The ONNX operators that become this node. */
  readonly onnx: Readonly<Record<string, Translate>>;
  /** Names of the constants that a node reads besides its inputs. */
  constants?(node: N): string[];
  /** The output's shape. @throws ModelError where attributes and inputs disagree */
  inferDims(node: N, dimsOf: (value: string) => Dims): Dims;
  /** Without one, files that are made for one image are refused a batch. Where a node has `dims`, they are its output's. */
  readonly images?: ImageRule<N>;
  /** Attributes, for `printGraph`. */
  describe?(node: N): string[];
  /** Whether the output holds integers, for which ONNX has other arithmetic. Unless told, those of its inputs that do make it so. */
  givesIntegers?(node: N): boolean;
  lower(node: N, to: LowerContext): void;
}
