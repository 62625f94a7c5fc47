import onnxProto from 'onnx-proto';
import type { Tensor } from '../../src/common/tensor.ts';

const { onnx } = onnxProto;
type AttributeProto = onnxProto.onnx.IAttributeProto;
type TensorProto = onnxProto.onnx.ITensorProto;
type ModelProto = onnxProto.onnx.ModelProto;

const { DataType } = onnx.TensorProto;
const { AttributeType } = onnx.AttributeProto;

const elementTypes = {
  float32: DataType.FLOAT,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
  float64: DataType.DOUBLE,
  int64: DataType.INT64,
  int32: DataType.INT32,
  bool: DataType.BOOL,
} as const;

export interface ValueSpec {
  readonly name: string;
  /** A number, a symbolic name, or null for an unknown dimension; the rank stays undeclared without it. */
  readonly dims?: readonly (number | string | null)[];
  /** Defaults to float32. */
  readonly type?: keyof typeof elementTypes;
}

export interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  /** Values come from `int`, `float`, `text`, `ints`, `floats`, `texts` and `tensor`. */
  readonly attributes?: Readonly<Record<string, AttributeProto>>;
}

export interface ModelSpec {
  /** Defaults to 11; null declares none. */
  readonly opset?: number | null;
  /** Defaults to 6. */
  readonly irVersion?: number;
  readonly producer?: string;
  readonly inputs?: readonly ValueSpec[];
  /** A bare name is a float32 of undeclared rank. */
  readonly outputs: readonly (string | ValueSpec)[];
  readonly nodes: readonly NodeSpec[];
  /** A Tensor becomes raw_data; a protobuf message is taken as it is. */
  readonly initializers?: Readonly<Record<string, Tensor | TensorProto>>;
  /** Last word on the message before it is encoded: a test damages it here. */
  readonly edit?: (model: ModelProto) => void;
}

/**
 * An .onnx file in memory, valid for onnxruntime when the specification is.
 *
 * ONNX tells integers from floats and JavaScript does not, so an attribute says which it is:
 * `attributes: { alpha: float(1), axis: int(1), pads: ints([0, 0, 1, 1]), mode: text('nearest'), value: tensor(t) }`.
 */
export function buildModel(spec: ModelSpec): Uint8Array<ArrayBuffer> {
  const { opset = 11, irVersion = 6, producer = 'test', inputs = [], outputs, nodes, initializers = {} } = spec;
  const model = onnx.ModelProto.create({
    irVersion,
    producerName: producer,
    opsetImport: opset === null ? [] : [{ domain: '', version: opset }],
    graph: {
      name: 'test',
      input: inputs.map(valueInfo),
      output: outputs.map((output) => valueInfo(typeof output === 'string' ? { name: output } : output)),
      initializer: Object.entries(initializers).map(([name, tensor]) => ({ ...tensorProto(tensor), name })),
      node: nodes.map(nodeProto),
    },
  });
  const domains = new Set(nodes.flatMap(({ domain }) => domain ?? []));
  for (const domain of domains) model.opsetImport.push({ domain, version: 1 });
  spec.edit?.(model);
  return new Uint8Array(onnx.ModelProto.encode(model).finish());
}

export function int(i: number): AttributeProto {
  return { type: AttributeType.INT, i };
}

export function float(f: number): AttributeProto {
  return { type: AttributeType.FLOAT, f };
}

export function text(s: string): AttributeProto {
  return { type: AttributeType.STRING, s: new TextEncoder().encode(s) };
}

export function ints(values: readonly number[]): AttributeProto {
  return { type: AttributeType.INTS, ints: [...values] };
}

export function floats(values: readonly number[]): AttributeProto {
  return { type: AttributeType.FLOATS, floats: [...values] };
}

export function texts(values: readonly string[]): AttributeProto {
  return { type: AttributeType.STRINGS, strings: values.map((value) => new TextEncoder().encode(value)) };
}

export function tensor(value: Tensor | TensorProto): AttributeProto {
  return { type: AttributeType.TENSOR, t: tensorProto(value) };
}

function tensorProto(tensor: Tensor | TensorProto): TensorProto {
  if (!('type' in tensor)) return tensor;
  const { buffer, byteOffset, byteLength } = tensor.data;
  return {
    dims: [...tensor.dims],
    dataType: elementTypes[tensor.type],
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

function nodeProto({ op, inputs, outputs, name = '', domain = '', attributes = {} }: NodeSpec) {
  return {
    opType: op,
    name,
    domain,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([name, attribute]) => ({ ...attribute, name })),
  };
}

function valueInfo({ name, dims, type = 'float32' }: ValueSpec) {
  const shape = dims && { dim: dims.map(dimension) };
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: shape ?? null } } };
}

function dimension(dim: number | string | null) {
  if (dim === null) return {};
  return typeof dim === 'number' ? { dimValue: dim } : { dimParam: dim };
}
