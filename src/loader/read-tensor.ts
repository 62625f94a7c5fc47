import { ModelError } from '../common/errors.ts';
import { widenBfloat16, widenFloat16 } from '../common/float16.ts';
import { type Dims, formatDims, sizeOf, type Tensor } from '../common/tensor.ts';
import { nameElementType } from './element-type.ts';
import { type ExternalFiles, isExternal, sliceExternal } from './external-data.ts';
import type { TensorProto } from './onnx-messages.ts';

type Elements = Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;

type Numbers = Iterable<number | bigint> & ArrayLike<number | bigint>;

/** One ONNX element type. */
interface Storage {
  /** Views little-endian bytes as elements. */
  readonly View: { readonly BYTES_PER_ELEMENT: number; new (raw: ArrayBuffer): Numbers };
  /** The typed field that ONNX prescribes for the type, one value an element. */
  readonly field: 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data';
  /** Makes what a view or a field holds our elements; a view of such elements already stays as it is. */
  convert(values: Numbers): Elements;
}

const floats = (values: Numbers) =>
  values instanceof Float32Array ? (values as Float32Array<ArrayBuffer>) : Float32Array.from(values, Number);
const integers = (values: Numbers) =>
  values instanceof BigInt64Array ? (values as BigInt64Array<ArrayBuffer>) : BigInt64Array.from(values, BigInt);
const booleans = (values: Numbers) => BigInt64Array.from(values, (value) => (value === 0 ? 0n : 1n));

const STORAGES: Readonly<Record<string, Storage>> = {
  float32: { View: Float32Array, field: 'floatData', convert: floats },
  float64: { View: Float64Array, field: 'doubleData', convert: floats },
  float16: { View: Uint16Array, field: 'int32Data', convert: (bits) => widenFloat16(Uint16Array.from(bits, Number)) },
  bfloat16: { View: Uint16Array, field: 'int32Data', convert: (bits) => widenBfloat16(Uint16Array.from(bits, Number)) },
  int64: { View: BigInt64Array, field: 'int64Data', convert: integers },
  int32: { View: Int32Array, field: 'int32Data', convert: integers },
  int16: { View: Int16Array, field: 'int32Data', convert: integers },
  int8: { View: Int8Array, field: 'int32Data', convert: integers },
  uint16: { View: Uint16Array, field: 'int32Data', convert: integers },
  uint8: { View: Uint8Array, field: 'int32Data', convert: integers },
  bool: { View: Uint8Array, field: 'int32Data', convert: booleans },
  uint32: { View: Uint32Array, field: 'uint64Data', convert: integers },
  uint64: { View: BigUint64Array, field: 'uint64Data', convert: integers },
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
  const byteLength = count * storage.View.BYTES_PER_ELEMENT;
  const shown = `${formatDims(dims)} of ${nameElementType(proto.dataType)}`;
  const external = isExternal(proto);
  if (external || proto.rawData.byteLength > 0) {
    const bytes = external ? sliceExternal(name, proto, files, byteLength) : proto.rawData;
    if (bytes.byteLength !== byteLength) {
      throw new ModelError(`${name}: expected ${byteLength} bytes for ${shown}, got ${bytes.byteLength}`);
    }
    // a copy: protobuf does not align its fields
    return storage.convert(new storage.View(new Uint8Array(bytes).buffer));
  }
  const typed = proto[storage.field];
  if (typed.length !== count) {
    throw new ModelError(`${name}: expected ${count} elements for ${shown}, got ${typed.length}`);
  }
  return storage.convert(typed);
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
