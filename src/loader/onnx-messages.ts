import { BYTES, FIXED32, FIXED64, ProtobufReader, VARINT } from './protobuf-reader.ts';

/** A type of value and how it is read; a message that comes twice goes on filling the one `before`. */
interface Kind<T> {
  readonly wire: number;
  readonly read: (from: ProtobufReader, before?: T) => T;
}

/** One of ONNX's messages, with the fields that the loader reads; all others are skipped. */
interface Message<T> extends Kind<T> {
  decode(bytes: Uint8Array): T;
}

interface Field<T> {
  readonly number: number;
  /** The wire types that it is read from; a value of any other is skipped. */
  readonly wires: readonly number[];
  /** What the field holds where a file leaves it unset: nothing, zero or, for a message, undefined. */
  readonly unset: T;
  read(from: ProtobufReader, wire: number, before: T): T;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Content<F extends Fields> = { readonly [Name in keyof F]: F[Name]['unset'] };

const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });
const NO_BYTES = new Uint8Array();

const int: Kind<number> = { wire: VARINT, read: (from) => from.int() };
const int32: Kind<number> = { wire: VARINT, read: (from) => from.int32() };
const float: Kind<number> = { wire: FIXED32, read: (from) => from.float() };
const bytes: Kind<Uint8Array> = { wire: BYTES, read: (from) => from.bytes() };
const string: Kind<string> = { wire: BYTES, read: (from) => TEXT.decode(from.bytes()) };

/** A field whose last value counts. */
function one<T, Unset extends T | undefined>(number: number, kind: Kind<T>, unset: Unset): Field<T | Unset> {
  return {
    number,
    wires: [kind.wire],
    unset,
    read: (from, _, before) => kind.read(from, before),
  };
}

/** A field of any number of values: one a tag, or packed, which is many numbers as bytes. */
function many<T>(number: number, kind: Kind<T>): Field<readonly T[]> {
  return {
    number,
    wires: [kind.wire, BYTES],
    unset: [],
    read: (from, wire, before) => {
      // all messages share the unset one
      const values = before.length > 0 ? (before as T[]) : [];
      const add = (reader: ProtobufReader) => {
        from.count();
        values.push(kind.read(reader));
      };
      if (wire === kind.wire) add(from);
      else for (const packed = new ProtobufReader(from.bytes()); !packed.done; ) add(packed);
      return values;
    },
  };
}

/** Numbers as the file packs them: a tensor's become elements once their type and their number are known. */
export class PackedNumbers {
  #bytes: Uint8Array = NO_BYTES;
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The first piece stays a view of the file. */
  append(piece: Uint8Array): this {
    const length = this.#length + piece.length;
    if (this.#length === 0) this.#bytes = piece;
    else if (length > this.#bytes.length) {
      const grown = new Uint8Array(length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    if (this.#length > 0) this.#bytes.set(piece, this.#length);
    this.#length = length;
    return this;
  }
}

/** A field of a tensor's numbers, one a tag, or packed. */
function elements(number: number, wire: number): Field<PackedNumbers | undefined> {
  return {
    number,
    wires: [wire, BYTES],
    unset: undefined,
    read: (from, got, before = new PackedNumbers()) =>
      before.append(got === BYTES ? from.bytes() : from.raw({ field: number, wire })),
  };
}

function message<F extends Fields>(fields: F): Message<Content<F>> {
  const named = Object.entries(fields);
  const byNumber = new Map(named.map(([name, field]) => [field.number, { name, field }]));
  const unset = Object.fromEntries(named.map(([name, field]) => [name, field.unset]));
  const decode = (from: ProtobufReader, before?: Content<F>): Content<F> => {
    const values: Record<string, unknown> = before ?? { ...unset };
    while (!from.done) {
      const tag = from.tag();
      const known = byNumber.get(tag.field);
      if (!known?.field.wires.includes(tag.wire)) from.skip(tag);
      else values[known.name] = known.field.read(from, tag.wire, values[known.name]);
    }
    return values as Content<F>;
  };
  return {
    wire: BYTES,
    read: (from, before) => decode(new ProtobufReader(from.bytes(), from.budget), before),
    decode: (content) => decode(new ProtobufReader(content)),
  };
}

const entryProto = message({ key: one(1, string, ''), value: one(2, string, '') });

export const tensorProto = message({
  dims: many(1, int),
  dataType: one(2, int32, 0),
  floatData: elements(4, FIXED32),
  int32Data: elements(5, VARINT),
  int64Data: elements(7, VARINT),
  name: one(8, string, ''),
  // a view of the file
  rawData: one(9, bytes, NO_BYTES),
  doubleData: elements(10, FIXED64),
  uint64Data: elements(11, VARINT),
  externalData: many(13, entryProto),
  // 1 when the bytes are in another file
  dataLocation: one(14, int32, 0),
});

export type TensorProto = ReturnType<typeof tensorProto.decode>;

const sparseTensorProto = message({ values: one(1, tensorProto, undefined) });

const attributeProto = message({
  name: one(1, string, ''),
  f: one(2, float, 0),
  i: one(3, int, 0),
  s: one(4, bytes, NO_BYTES),
  t: one(5, tensorProto, undefined),
  floats: many(7, float),
  ints: many(8, int),
  strings: many(9, bytes),
  type: one(20, int32, 0),
  refAttrName: one(21, string, ''),
});

export type AttributeProto = ReturnType<typeof attributeProto.decode>;

const nodeProto = message({
  input: many(1, string),
  output: many(2, string),
  name: one(3, string, ''),
  opType: one(4, string, ''),
  attribute: many(5, attributeProto),
  domain: one(7, string, ''),
  overload: one(8, string, ''),
});

export type NodeProto = ReturnType<typeof nodeProto.decode>;

const dimensionProto = message({ dimValue: one(1, int, 0), dimParam: one(2, string, '') });
const shapeProto = message({ dim: many(1, dimensionProto) });
const tensorTypeProto = message({ elemType: one(1, int32, 0), shape: one(2, shapeProto, undefined) });
const typeProto = message({ tensorType: one(1, tensorTypeProto, undefined) });
const valueInfoProto = message({ name: one(1, string, ''), type: one(2, typeProto, undefined) });

export type ValueInfoProto = ReturnType<typeof valueInfoProto.decode>;

const graphProto = message({
  node: many(1, nodeProto),
  initializer: many(5, tensorProto),
  input: many(11, valueInfoProto),
  output: many(12, valueInfoProto),
  sparseInitializer: many(15, sparseTensorProto),
});

export type GraphProto = ReturnType<typeof graphProto.decode>;

const operatorSetProto = message({ domain: one(1, string, ''), version: one(2, int, 0) });

const functionProto = message({
  name: one(1, string, ''),
  input: many(4, string),
  output: many(5, string),
  node: many(7, nodeProto),
  opsetImport: many(9, operatorSetProto),
  domain: one(10, string, ''),
  // attributes with a value for calls that give none
  attributeProto: many(11, attributeProto),
  overload: one(13, string, ''),
});

export type FunctionProto = ReturnType<typeof functionProto.decode>;

export const modelProto = message({
  irVersion: one(1, int, 0),
  producerName: one(2, string, ''),
  producerVersion: one(3, string, ''),
  graph: one(7, graphProto, undefined),
  opsetImport: many(8, operatorSetProto),
  functions: many(25, functionProto),
});

export type ModelProto = ReturnType<typeof modelProto.decode>;
