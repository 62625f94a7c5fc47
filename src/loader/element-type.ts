/** Names of `TensorProto.DataType`, indexed by its numbers. */
const NAMES = [
  'undefined',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
];

/** `1` → `float32`; an unknown number is named by itself. */
export function nameElementType(dataType: number): string {
  return NAMES[dataType] ?? `type ${dataType}`;
}
