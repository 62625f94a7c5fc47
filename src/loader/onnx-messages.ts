import { BYTES, FIXED32, FIXED64, VARINT, WireReader } from './protobuf-reader.ts';

/*
 * ONNX's messages, with the fields that the loader reads; all others are skipped. What a file leaves unset is empty, zero
 * or, if it is a message, undefined.
 */

export interface ModelProto {
  readonly irVersion: number;
  readonly opsetImport: readonly OperatorSetProto[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly graph: GraphProto | undefined;
}

export interface OperatorSetProto {
  readonly domain: string;
  readonly version: number;
}

export interface GraphProto {
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly sparseInitializer: readonly SparseTensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
}

export interface NodeProto {
  readonly name: string;
  readonly domain: string;
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly AttributeProto[];
}

export interface AttributeProto {
  readonly name: string;
  readonly type: number;
  readonly refAttrName: string;
  readonly f: number;
  readonly i: number;
  readonly s: Uint8Array;
  readonly t: TensorProto | undefined;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly strings: readonly Uint8Array[];
}

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  /** A view of the file. */
  readonly rawData: Uint8Array;
  readonly floatData: readonly number[];
  readonly doubleData: readonly number[];
  readonly int32Data: readonly number[];
  readonly int64Data: readonly bigint[];
  readonly uint64Data: readonly bigint[];
  /** 1 when the bytes are in another file. */
  readonly dataLocation: number;
  readonly externalData: readonly EntryProto[];
}

export interface EntryProto {
  readonly key: string;
  readonly value: string;
}

export interface SparseTensorProto {
  readonly values: TensorProto | undefined;
}

export interface ValueInfoProto {
  readonly name: string;
  readonly type: TypeProto | undefined;
}

export interface TypeProto {
  readonly tensorType: TensorTypeProto | undefined;
}

export interface TensorTypeProto {
  readonly elemType: number;
  readonly shape: ShapeProto | undefined;
}

export interface ShapeProto {
  readonly dim: readonly DimensionProto[];
}

export interface DimensionProto {
  readonly dimValue: number;
  readonly dimParam: string;
}

/** A type of value and how it is read; a message that comes twice goes on filling the one `before`. */
interface Kind<T> {
  readonly wire: number;
  readonly read: (from: WireReader, before?: T) => T;
}

interface Message<T> extends Kind<T> {
  decode(bytes: Uint8Array): T;
}

interface Field<T> {
  readonly number: number;
  /** The wire types that it is read from; a value of any other is skipped. */
  readonly wires: readonly number[];
  unset(): T;
  read(from: WireReader, wire: number, before: T): T;
}

const text = new TextDecoder('utf-8', { ignoreBOM: true });

const int: Kind<number> = { wire: VARINT, read: (from) => from.int() };
const int32: Kind<number> = { wire: VARINT, read: (from) => from.int32() };
const int64: Kind<bigint> = { wire: VARINT, read: (from) => from.int64() };
const uint64: Kind<bigint> = { wire: VARINT, read: (from) => from.uint64() };
const float: Kind<number> = { wire: FIXED32, read: (from) => from.float() };
const double: Kind<number> = { wire: FIXED64, read: (from) => from.double() };
const bytes: Kind<Uint8Array> = { wire: BYTES, read: (from) => from.bytes() };
const string: Kind<string> = { wire: BYTES, read: (from) => text.decode(from.bytes()) };

/** A field whose last value counts. */
function one<T, Unset extends T | undefined>(number: number, kind: Kind<T>, unset: Unset): Field<T | Unset> {
  return {
    number,
    wires: [kind.wire],
    unset: () => unset,
    read: (from, _, before) => kind.read(from, before),
  };
}

/** A field of any number of values: one a tag, or packed, which is many numbers as bytes. */
function many<T>(number: number, kind: Kind<T>): Field<T[]> {
  return {
    number,
    wires: [kind.wire, BYTES],
    unset: () => [],
    read: (from, wire, values) => {
      if (wire === kind.wire) values.push(kind.read(from));
      else for (const packed = new WireReader(from.bytes()); !packed.done; ) values.push(kind.read(packed));
      return values;
    },
  };
}

function message<T extends object>(fields: { readonly [Name in keyof T]: Field<T[Name]> }): Message<T> {
  const named: [name: string, field: Field<unknown>][] = Object.entries(fields);
  const byNumber = new Map(named.map(([name, field]) => [field.number, { name, field }]));
  const decode = (content: Uint8Array, before?: T): T => {
    const start = before ?? Object.fromEntries(named.map(([name, field]) => [name, field.unset()]));
    const values = start as Record<string, unknown>;
    const from = new WireReader(content);
    while (!from.done) {
      const tag = from.tag();
      const known = byNumber.get(tag.field);
      if (!known?.field.wires.includes(tag.wire)) from.skip(tag);
      else values[known.name] = known.field.read(from, tag.wire, values[known.name]);
    }
    return values as T;
  };
  return { wire: BYTES, read: (from, before) => decode(from.bytes(), before), decode };
}

const none = new Uint8Array();

const entryProto = message<EntryProto>({
  key: one(1, string, ''),
  value: one(2, string, ''),
});

export const tensorProto = message<TensorProto>({
  dims: many(1, int),
  dataType: one(2, int32, 0),
  floatData: many(4, float),
  int32Data: many(5, int32),
  int64Data: many(7, int64),
  name: one(8, string, ''),
  rawData: one(9, bytes, none),
  doubleData: many(10, double),
  uint64Data: many(11, uint64),
  externalData: many(13, entryProto),
  dataLocation: one(14, int32, 0),
});

const sparseTensorProto = message<SparseTensorProto>({
  values: one(1, tensorProto, undefined),
});

const attributeProto = message<AttributeProto>({
  name: one(1, string, ''),
  f: one(2, float, 0),
  i: one(3, int, 0),
  s: one(4, bytes, none),
  t: one(5, tensorProto, undefined),
  floats: many(7, float),
  ints: many(8, int),
  strings: many(9, bytes),
  type: one(20, int32, 0),
  refAttrName: one(21, string, ''),
});

const nodeProto = message<NodeProto>({
  input: many(1, string),
  output: many(2, string),
  name: one(3, string, ''),
  opType: one(4, string, ''),
  attribute: many(5, attributeProto),
  domain: one(7, string, ''),
});

const dimensionProto = message<DimensionProto>({
  dimValue: one(1, int, 0),
  dimParam: one(2, string, ''),
});

const shapeProto = message<ShapeProto>({
  dim: many(1, dimensionProto),
});

const tensorTypeProto = message<TensorTypeProto>({
  elemType: one(1, int32, 0),
  shape: one(2, shapeProto, undefined),
});

const typeProto = message<TypeProto>({
  tensorType: one(1, tensorTypeProto, undefined),
});

const valueInfoProto = message<ValueInfoProto>({
  name: one(1, string, ''),
  type: one(2, typeProto, undefined),
});

const graphProto = message<GraphProto>({
  node: many(1, nodeProto),
  initializer: many(5, tensorProto),
  input: many(11, valueInfoProto),
  output: many(12, valueInfoProto),
  sparseInitializer: many(15, sparseTensorProto),
});

const operatorSetProto = message<OperatorSetProto>({
  domain: one(1, string, ''),
  version: one(2, int, 0),
});

export const modelProto = message<ModelProto>({
  irVersion: one(1, int, 0),
  producerName: one(2, string, ''),
  producerVersion: one(3, string, ''),
  graph: one(7, graphProto, undefined),
  opsetImport: many(8, operatorSetProto),
});
