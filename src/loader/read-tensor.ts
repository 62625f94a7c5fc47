import { ModelError } from '../common/errors.ts';
import { widenBfloat16, widenFloat16 } from '../common/float16.ts';
import { type Dims, formatDims, sizeOf, type Tensor } from '../common/tensor.ts';
import { nameElementType } from './element-type.ts';
import { type ExternalFiles, isExternal, sliceExternal } from './external-data.ts';
import type { TensorProto } from './onnx-messages.ts';

type Elements = Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;

/** One ONNX element type: how its little-endian bytes and its typed field become our elements. */
interface Storage {
  readonly bytesPerElement: number;
  /** `raw` is an aligned copy. */
  decode(raw: ArrayBuffer): Elements;
  /** Number of values in the typed field that ONNX prescribes for the type. */
  typedCount(proto: TensorProto): number;
  fromTyped(proto: TensorProto): Elements;
}

const integers = (values: Iterable<number>) =>
  BigInt64Array.from(values as Iterable<number> & ArrayLike<number>, BigInt);

const booleans = (values: ArrayLike<number>) =>
  BigInt64Array.from(values as Iterable<number> & ArrayLike<number>, (value) => (value === 0 ? 0n : 1n));

/** A type whose typed field is int32_data, one value an element. */
function int32Field(
  bytesPerElement: number,
  decode: (raw: ArrayBuffer) => Elements,
  fromInt32: (values: readonly number[]) => Elements = integers,
): Storage {
  return {
    bytesPerElement,
    decode,
    typedCount: (proto) => proto.int32Data.length,
    fromTyped: (proto) => fromInt32(proto.int32Data),
  };
}

function uint64Field(bytesPerElement: number, decode: (raw: ArrayBuffer) => Elements): Storage {
  return {
    bytesPerElement,
    decode,
    typedCount: (proto) => proto.uint64Data.length,
    fromTyped: (proto) => BigInt64Array.from(proto.uint64Data),
  };
}

const STORAGES: Readonly<Record<string, Storage>> = {
  float32: {
    bytesPerElement: 4,
    decode: (raw) => new Float32Array(raw),
    typedCount: (proto) => proto.floatData.length,
    fromTyped: (proto) => Float32Array.from(proto.floatData),
  },
  float64: {
    bytesPerElement: 8,
    decode: (raw) => Float32Array.from(new Float64Array(raw)),
    typedCount: (proto) => proto.doubleData.length,
    fromTyped: (proto) => Float32Array.from(proto.doubleData),
  },
  float16: int32Field(
    2,
    (raw) => widenFloat16(new Uint16Array(raw)),
    (values) => widenFloat16(Uint16Array.from(values)),
  ),
  bfloat16: int32Field(
    2,
    (raw) => widenBfloat16(new Uint16Array(raw)),
    (values) => widenBfloat16(Uint16Array.from(values)),
  ),
  int64: {
    bytesPerElement: 8,
    decode: (raw) => new BigInt64Array(raw),
    typedCount: (proto) => proto.int64Data.length,
    fromTyped: (proto) => BigInt64Array.from(proto.int64Data),
  },
  int32: int32Field(4, (raw) => integers(new Int32Array(raw))),
  int16: int32Field(2, (raw) => integers(new Int16Array(raw))),
  int8: int32Field(1, (raw) => integers(new Int8Array(raw))),
  uint16: int32Field(2, (raw) => integers(new Uint16Array(raw))),
  uint8: int32Field(1, (raw) => integers(new Uint8Array(raw))),
  bool: int32Field(1, (raw) => booleans(new Uint8Array(raw)), booleans),
  uint32: uint64Field(4, (raw) => integers(new Uint32Array(raw))),
  uint64: uint64Field(8, (raw) => new BigInt64Array(raw)),
};

function readDims(name: string, proto: TensorProto): Dims {
  const { dims } = proto;
  if (dims.some((dim) => dim < 0)) {
    throw new ModelError(`${name}: expected dimensions of zero or more, got ${formatDims(dims)}`);
  }
  if (!Number.isSafeInteger(sizeOf(dims))) {
    throw new ModelError(`${name}: expected a tensor that fits in memory, got ${formatDims(dims)}`);
  }
  return dims;
}

/** Lengths are checked before arrays are made: damaged dimensions must not allocate gigabytes. */
function readElements(name: string, proto: TensorProto, storage: Storage, dims: Dims, files: ExternalFiles): Elements {
  const count = sizeOf(dims);
  const byteLength = count * storage.bytesPerElement;
  const shown = `${formatDims(dims)} of ${nameElementType(proto.dataType)}`;
  const external = isExternal(proto);
  if (external || proto.rawData.byteLength > 0) {
    const bytes = external ? sliceExternal(name, proto, files, byteLength) : proto.rawData;
    if (bytes.byteLength !== byteLength) {
      throw new ModelError(`${name}: expected ${byteLength} bytes for ${shown}, got ${bytes.byteLength}`);
    }
    // a copy: protobuf does not align its fields
    return storage.decode(new Uint8Array(bytes).buffer);
  }
  const typed = storage.typedCount(proto);
  if (typed !== count) throw new ModelError(`${name}: expected ${count} elements for ${shown}, got ${typed}`);
  return storage.fromTyped(proto);
}

/** A uint64 beyond int64 has wrapped to a negative number. */
function checkUint64(name: string, data: BigInt64Array): void {
  const bad = data.findIndex((value) => value < 0n);
  if (bad >= 0) {
    throw new ModelError(`${name}: expected uint64 below 2^63, got ${BigInt.asUintN(64, data[bad]!)} at index ${bad}`);
  }
}

/** TensorProto → constant. `name` is for messages. @throws ModelError */
export function readTensor(name: string, proto: TensorProto, files: ExternalFiles): Tensor {
  const type = nameElementType(proto.dataType);
  const storage = STORAGES[type];
  if (!storage) throw new ModelError(`${name}: expected a numeric element type, got ${type}`);
  const dims = readDims(name, proto);
  const data = readElements(name, proto, storage, dims, files);
  if (!(data instanceof Float32Array)) {
    if (type === 'uint64') checkUint64(name, data);
    return { type: 'int64', dims, data };
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new ModelError(
      `${name}: weights must be finite, got ${data[bad]} at index ${bad} of ${formatDims(dims)}: the file is damaged`,
    );
  }
  return { type: 'float32', dims, data };
}
