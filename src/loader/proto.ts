/** A 64-bit integer as protobuf.js decodes it: a Long, or a number where the `long` package is absent. */
export type Int64 = number | { readonly low: number; readonly high: number; readonly unsigned: boolean };

/*
 * The fields the loader reads of each decoded message. protobuf.js gives unset repeated fields `[]` and unset scalars
 * their zero value, so only singular messages can be missing.
 */

export interface ModelProto {
  readonly irVersion: Int64;
  readonly opsetImport: readonly { readonly domain: string; readonly version: Int64 }[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly graph?: GraphProto | null;
}

export interface GraphProto {
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly sparseInitializer: readonly { readonly values?: TensorProto | null }[];
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
  readonly i: Int64;
  readonly s: Uint8Array;
  readonly t?: TensorProto | null;
  readonly floats: readonly number[];
  readonly ints: readonly Int64[];
  readonly strings: readonly Uint8Array[];
}

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly Int64[];
  readonly dataType: number;
  readonly rawData: Uint8Array;
  readonly floatData: readonly number[];
  readonly doubleData: readonly number[];
  readonly int32Data: readonly number[];
  readonly int64Data: readonly Int64[];
  readonly uint64Data: readonly Int64[];
  /** 1 when the bytes are in another file. */
  readonly dataLocation: number;
  readonly externalData: readonly { readonly key: string; readonly value: string }[];
}

export interface ValueInfoProto {
  readonly name: string;
  readonly type?: TypeProto | null;
}

export interface TypeProto {
  readonly tensorType?: { readonly elemType: number; readonly shape?: ShapeProto | null } | null;
}

export interface ShapeProto {
  readonly dim: readonly { readonly dimValue?: Int64 | null; readonly dimParam?: string | null }[];
}

export function toBigInt(value: Int64): bigint {
  if (typeof value === 'number') return BigInt(value);
  const bits = (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
  return value.unsigned ? BigInt.asUintN(64, bits) : BigInt.asIntN(64, bits);
}

/** Values beyond ±2^53 (slice ends "to infinity") saturate. */
export function toNumber(value: Int64): number {
  const limit = Number.MAX_SAFE_INTEGER;
  return Math.min(limit, Math.max(-limit, Number(toBigInt(value))));
}
