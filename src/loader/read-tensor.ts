import { ModelError } from '../common/errors.ts';
import { widenBfloat16, widenFloat16 } from '../common/float16.ts';
import { type Dims, formatDims, MAX_RANK, sizeOf, type Tensor } from '../common/tensor.ts';
import { nameElementType } from './element-type.ts';
import { type ExternalFiles, isExternal, sliceExternal } from './external-data.ts';
import type { TensorProto } from './onnx-messages.ts';
import { ProtobufReader } from './protobuf-reader.ts';

type Elements = Float32Array<ArrayBuffer> | IntegerArray;
type IntegerArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;
type Stored = IntegerArray | Float32Array<ArrayBuffer> | Float64Array;

/** One ONNX element type. */
interface Storage {
  /** Views little-endian bytes as elements, or makes a number of them. */
  readonly View: {
    readonly BYTES_PER_ELEMENT: number;
    new (raw: ArrayBuffer): Stored;
    new (length: number): Stored;
  };
  /** The typed field that ONNX prescribes for the type, one value an element. */
  readonly field: 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data';
  /** Makes floats of what is stored; integers stay as they are stored. */
  readonly toFloats?: (stored: Stored) => Float32Array<ArrayBuffer>;
}

const STORAGES: Readonly<Record<string, Storage>> = {
  float32: { View: Float32Array, field: 'floatData', toFloats: (stored) => stored as Float32Array<ArrayBuffer> },
  float64: { View: Float64Array, field: 'doubleData', toFloats: (stored) => new Float32Array(stored as Float64Array) },
  float16: { View: Uint16Array, field: 'int32Data', toFloats: (bits) => widenFloat16(bits as Uint16Array) },
  bfloat16: { View: Uint16Array, field: 'int32Data', toFloats: (bits) => widenBfloat16(bits as Uint16Array) },
  int64: { View: BigInt64Array, field: 'int64Data' },
  int32: { View: Int32Array, field: 'int32Data' },
  int16: { View: Int16Array, field: 'int32Data' },
  int8: { View: Int8Array, field: 'int32Data' },
  uint16: { View: Uint16Array, field: 'int32Data' },
  uint8: { View: Uint8Array, field: 'int32Data' },
  bool: { View: Uint8Array, field: 'int32Data' },
  uint32: { View: Uint32Array, field: 'uint64Data' },
  uint64: { View: BigUint64Array, field: 'uint64Data' },
};

function readDims(name: string, proto: TensorProto): Dims {
  const { dims } = proto;
  if (dims.some((dim) => dim < 0)) {
    throw new ModelError(`${name}: expected dimensions of zero or more, got ${formatDims(dims)}`);
  }
  if (dims.length > MAX_RANK) {
    throw new ModelError(`${name}: expected at most ${MAX_RANK} dimensions, got ${dims.length}`);
  }
  if (!Number.isSafeInteger(sizeOf(dims))) {
    throw new ModelError(`${name}: expected a tensor that fits in memory, got ${formatDims(dims)}`);
  }
  return dims;
}

/** Lengths are checked before arrays are made: damaged dimensions must not allocate gigabytes. */
function readElements(name: string, proto: TensorProto, storage: Storage, dims: Dims, files: ExternalFiles): Elements {
  const { View, field, toFloats } = storage;
  const count = sizeOf(dims);
  const byteLength = count * View.BYTES_PER_ELEMENT;
  const shown = `${formatDims(dims)} of ${nameElementType(proto.dataType)}`;
  const external = isExternal(proto);
  const finish = (stored: Stored) => toFloats?.(stored) ?? (stored as IntegerArray);
  // a copy: protobuf does not align its fields
  const view = (bytes: Uint8Array) => finish(new View(new Uint8Array(bytes).buffer));
  if (external || proto.rawData.byteLength > 0) {
    const bytes = external ? sliceExternal(name, proto, files, byteLength) : proto.rawData;
    if (bytes.byteLength !== byteLength) {
      throw new ModelError(`${name}: expected ${byteLength} bytes for ${shown}, got ${bytes.byteLength}`);
    }
    return view(bytes);
  }
  const typed = proto[field]?.bytes ?? new Uint8Array();
  const fixed = field === 'floatData' || field === 'doubleData';
  const got = fixed ? typed.length / View.BYTES_PER_ELEMENT : countVarints(typed);
  if (got !== count) throw new ModelError(`${name}: expected ${count} elements for ${shown}, got ${got}`);
  return fixed ? view(typed) : finish(readVarints(typed, new View(count)));
}

/** Each varint ends with the first of its bytes that is below 128. */
function countVarints(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) count += bytes[i]! < 128 ? 1 : 0;
  return count;
}

function readVarints(bytes: Uint8Array, into: Stored): Stored {
  const reader = new ProtobufReader(bytes);
  if (into instanceof BigInt64Array || into instanceof BigUint64Array) {
    for (let i = 0; i < into.length; i++) into[i] = reader.int64();
  } else for (let i = 0; i < into.length; i++) into[i] = reader.int32();
  return into;
}

/** Integers are widened when they are first asked for: what reads them is shape arithmetic, never weights. */
function integerTensor(type: string, dims: Dims, stored: IntegerArray): Tensor {
  let data: BigInt64Array<ArrayBuffer> | undefined;
  const widen = () => {
    const wide = new BigInt64Array(stored.length);
    for (let i = 0; i < wide.length; i++) wide[i] = BigInt(type === 'bool' ? Number(stored[i] !== 0) : stored[i]!);
    return wide;
  };
  return {
    type: 'int64',
    dims,
    get data() {
      data ??= stored instanceof BigInt64Array ? (stored as BigInt64Array<ArrayBuffer>) : widen();
      return data;
    },
  };
}

/** Integers are int64 here, whatever the file calls them. */
function checkUint64(name: string, data: BigUint64Array): void {
  const bad = data.findIndex((value) => value >= 2n ** 63n);
  if (bad >= 0) throw new ModelError(`${name}: expected uint64 below 2^63, got ${data[bad]} at index ${bad}`);
}

/** TensorProto → constant. `name` is for messages. @throws ModelError */
export function readTensor(name: string, proto: TensorProto, files: ExternalFiles): Tensor {
  const type = nameElementType(proto.dataType);
  const storage = STORAGES[type];
  if (!storage) throw new ModelError(`${name}: expected a numeric element type, got ${type}`);
  const dims = readDims(name, proto);
  const data = readElements(name, proto, storage, dims, files);
  if (!(data instanceof Float32Array)) {
    if (data instanceof BigUint64Array) checkUint64(name, data);
    return integerTensor(type, dims, data);
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new ModelError(
      `${name}: weights must be finite, got ${data[bad]} at index ${bad} of ${formatDims(dims)}: the file is damaged`,
    );
  }
  return { type: 'float32', dims, data };
}
