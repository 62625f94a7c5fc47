import type { Tensor } from '../common/tensor.ts';
import type { AttributeValue } from './attributes.ts';
import type { Model, ModelNode, ModelValue } from './model.ts';
import { type Bytes, bytes, concatenate, float, int, string } from './protobuf-writer.ts';

export interface NodeToWrite extends Omit<ModelNode, 'attributes'> {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** An ONNX file to be: what `loadModel` gives back for it. */
interface ModelToWrite extends Omit<Model, 'nodes'> {
  readonly nodes: readonly NodeToWrite[];
}

const FLOAT = 1;
const INT64 = 7;

function tensorBytes({ type, dims, data }: Tensor, name?: string): Bytes {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [
    ...dims.flatMap((dim) => int(1, dim)),
    ...int(2, type === 'float32' ? FLOAT : INT64),
    ...(name === undefined ? [] : string(8, name)),
    ...bytes(9, [raw]),
  ];
}

/** The value's field and the number of its kind, AttributeProto's `type`. */
function attributeValue(name: string, attribute: AttributeValue): [kind: number, value: Bytes] {
  switch (attribute.kind) {
    case 'float':
      return [1, float(2, attribute.value)];
    case 'int':
      return [2, int(3, attribute.value)];
    case 'string':
      return [3, string(4, attribute.value)];
    case 'tensor':
      return [4, bytes(5, tensorBytes(attribute.value))];
    case 'floats':
      return [6, attribute.value.flatMap((value) => float(7, value))];
    case 'ints':
      return [7, attribute.value.flatMap((value) => int(8, value))];
    case 'strings':
      return [8, attribute.value.flatMap((value) => string(9, value))];
    case 'other':
      throw new TypeError(`attribute ${name}: expected a value, got ${attribute.value}`);
    default:
      return attribute satisfies never;
  }
}

function nodeBytes({ name, op, inputs, outputs, attributes = {} }: NodeToWrite): Bytes {
  const attribute = ([key, entry]: [string, AttributeValue]) => {
    const [kind, value] = attributeValue(key, entry);
    return bytes(5, [...string(1, key), ...value, ...int(20, kind)]);
  };
  return [
    ...inputs.flatMap((value) => string(1, value)),
    ...outputs.flatMap((value) => string(2, value)),
    ...string(3, name),
    ...string(4, op),
    ...Object.entries(attributes).flatMap(attribute),
  ];
}

function valueBytes({ name, type, dims }: ModelValue): Bytes {
  if (type !== 'float32') throw new TypeError(`value "${name}": expected float32, got ${type}`);
  const dimension = (dim: number | string | null) => {
    if (dim === null) return [];
    return typeof dim === 'number' ? int(1, dim) : string(2, dim);
  };
  const dimensions = dims?.flatMap((dim) => bytes(1, dimension(dim)));
  const tensorType = [...int(1, FLOAT), ...(dimensions ? bytes(2, dimensions) : [])];
  return [...string(1, name), ...bytes(2, bytes(1, tensorType))];
}

/** Model → ONNX bytes, the same for the same model. Floats and integers are little-endian, as every WebGPU machine is. */
export function writeModel(model: ModelToWrite): Uint8Array<ArrayBuffer> {
  const graph = [
    ...model.nodes.flatMap((node) => bytes(1, nodeBytes(node))),
    ...string(2, 'graph'),
    ...[...model.initializers].flatMap(([name, tensor]) => bytes(5, tensorBytes(tensor, name))),
    ...model.inputs.flatMap((value) => bytes(11, valueBytes(value))),
    ...model.outputs.flatMap((value) => bytes(12, valueBytes(value))),
  ];
  return concatenate([
    ...int(1, model.irVersion),
    ...string(2, model.producer),
    ...bytes(7, graph),
    ...bytes(8, [...string(1, ''), ...int(2, model.opset)]),
  ]);
}
