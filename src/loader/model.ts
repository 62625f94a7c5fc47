import type { Tensor } from '../common/tensor.ts';
import type { Attributes } from './attributes.ts';

/** A declared graph input or output. */
export interface ModelValue {
  readonly name: string;
  /** ONNX element type in lower case, for example `float32`, `float16`, `int64`. */
  readonly type: string;
  /** A number, a symbolic name, or null where the file says nothing; null for an undeclared rank. */
  readonly dims: readonly (number | string | null)[] | null;
}

export interface ModelNode {
  /** Unique in the model: the file's name, or `Op_index` where it has none. */
  readonly name: string;
  readonly op: string;
  /** Value names; `''` stands for an omitted optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** An ONNX file without protobuf: what the graph compiler reads. */
export interface Model {
  /** Producer name and version, for example `pytorch 1.8`; empty when the file names none. */
  readonly producer: string;
  readonly irVersion: number;
  /** Version of the default operator set. */
  readonly opset: number;
  /** Inputs that are not initializers. */
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
  /** In the file's order, which ONNX requires to be topological. */
  readonly nodes: readonly ModelNode[];
  readonly initializers: ReadonlyMap<string, Tensor>;
}

/** Width and height that the file fixes for its input, if it does. */
export function declaredSize(model: Model): [width: number, height: number] | undefined {
  const [, , height, width] = model.inputs[0]?.dims ?? [];
  return typeof height === 'number' && typeof width === 'number' ? [width, height] : undefined;
}
