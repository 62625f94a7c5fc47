import onnxProto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import { type TensorProto, tensorProto } from '../../src/loader/onnx-messages.ts';
import { readTensor } from '../../src/loader/read-tensor.ts';

const { TensorProto: Message } = onnxProto.onnx;
const { DataType } = Message;

/** Through the wire, so that the message is what a file gives. */
function read(message: onnxProto.onnx.ITensorProto): Tensor {
  return readTensor('w', tensorProto.decode(Message.encode(Message.create(message)).finish()), new Map());
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const floatCases = [
  {
    type: 'FLOAT',
    raw: new Float32Array([1.5, -0.1, 0, 3e38]),
    typed: { floatData: [1.5, -0.1, 0, 3e38] },
    values: [1.5, -0.1, 0, 3e38],
  },
  {
    type: 'DOUBLE',
    raw: new Float64Array([1.5, -0.1, 0, 1e-300]),
    typed: { doubleData: [1.5, -0.1, 0, 1e-300] },
    values: [1.5, -0.1, 0, 0],
  },
  {
    type: 'FLOAT16',
    raw: new Uint16Array([0x3c00, 0xb800, 0x0001, 0x7bff]),
    typed: { int32Data: [0x3c00, 0xb800, 0x0001, 0x7bff] },
    values: [1, -0.5, 2 ** -24, 65504],
  },
  {
    type: 'BFLOAT16',
    raw: new Uint16Array([0x3f80, 0xbf00, 0x0001, 0x7f7f]),
    typed: { int32Data: [0x3f80, 0xbf00, 0x0001, 0x7f7f] },
    values: [1, -0.5, 2 ** -133, 3.3895313892515355e38],
  },
] as const;

const intCases = [
  { type: 'INT64', raw: new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n, -1n]), field: 'int64Data' },
  { type: 'INT32', raw: new Int32Array([-(2 ** 31), 2 ** 31 - 1, -1]), field: 'int32Data' },
  { type: 'INT16', raw: new Int16Array([-32768, 32767, -1]), field: 'int32Data' },
  { type: 'INT8', raw: new Int8Array([-128, 127, -1]), field: 'int32Data' },
  { type: 'UINT8', raw: new Uint8Array([0, 255, 1]), field: 'int32Data' },
  { type: 'UINT16', raw: new Uint16Array([0, 65535, 1]), field: 'int32Data' },
  { type: 'UINT32', raw: new Uint32Array([0, 2 ** 32 - 1, 1]), field: 'uint64Data' },
  { type: 'UINT64', raw: new BigUint64Array([0n, 2n ** 63n - 1n, 1n]), field: 'uint64Data' },
  { type: 'BOOL', raw: new Uint8Array([0, 1, 1]), field: 'int32Data' },
] as const;

describe('floating-point types become float32', () => {
  for (const { type, raw, typed, values } of floatCases) {
    const expected = { type: 'float32', dims: [2, 2], data: Float32Array.from(values) };
    test(`${type} in raw_data`, () => {
      expect(read({ dims: [2, 2], dataType: DataType[type], rawData: bytesOf(raw) })).toEqual(expected);
    });
    test(`${type} in ${Object.keys(typed)[0]}`, () => {
      expect(read({ dims: [2, 2], dataType: DataType[type], ...(structuredClone(typed) as object) })).toEqual(expected);
    });
  }
});

describe('integers and bool become int64', () => {
  for (const { type, raw, field } of intCases) {
    const values = Array.from<bigint | number>(raw);
    const expected = { type: 'int64', dims: [3], data: BigInt64Array.from(values, BigInt) };
    test(`${type} in raw_data`, () => {
      expect(read({ dims: [3], dataType: DataType[type], rawData: bytesOf(raw) })).toEqual(expected);
    });
    test(`${type} in ${field}`, () => {
      const typed = { [field]: field === 'int32Data' ? values.map(Number) : values.map(toLong) };
      expect(read({ dims: [3], dataType: DataType[type], ...typed })).toEqual(expected);
    });
  }

  test('any byte but 0 is true', () => {
    const tensor = read({ dims: [3], dataType: DataType.BOOL, rawData: new Uint8Array([0, 2, 255]) });
    expect(tensor.data).toEqual(new BigInt64Array([0n, 1n, 1n]));
  });

  test('uint64 beyond int64 is refused', () => {
    const rawData = bytesOf(new BigUint64Array([0n, 2n ** 63n]));
    expect(() => read({ dims: [2], dataType: DataType.UINT64, rawData })).toThrow(
      new ModelError('w: expected uint64 below 2^63, got 9223372036854775808 at index 1'),
    );
  });
});

describe('float16', () => {
  function widen(...halves: number[]): number[] {
    const rawData = bytesOf(Uint16Array.from(halves));
    return Array.from(read({ dims: [halves.length], dataType: DataType.FLOAT16, rawData }).data, Number);
  }

  test('specials', () => {
    expect(widen(0x0000, 0x8000)).toEqual([0, -0]);
    expect(widen(0x0001, 0x8001, 0x03ff)).toEqual([2 ** -24, -(2 ** -24), 1023 * 2 ** -24]);
    expect(widen(0x0400, 0x7bff, 0xfbff)).toEqual([2 ** -14, 65504, -65504]);
  });

  test('infinities and NaN are refused as weights', () => {
    expect(() => widen(0, 0x7c00)).toThrow(/^w: .*got Infinity at index 1/);
    expect(() => widen(0xfc00)).toThrow(/got -Infinity at index 0/);
    expect(() => widen(0x7e00)).toThrow(/got NaN at index 0/);
  });

  test('every finite pattern is strictly ordered like its bits', () => {
    const all = widen(...Array.from({ length: 0x7c00 }, (_, bits) => bits));
    expect(all.every((value, index) => index === 0 || value > all[index - 1]!)).toBe(true);
  });
});

describe('shape and storage', () => {
  test.each([[[]], [[1]], [[1, 1, 1]]])('one element as %j', (dims) => {
    const tensor = read({ dims, dataType: DataType.FLOAT, floatData: [7] });
    expect(tensor).toEqual({ type: 'float32', dims, data: Float32Array.of(7) });
  });

  test('an empty tensor has no data, however large its other dimensions', () => {
    expect(read({ dims: [0], dataType: DataType.FLOAT }).data).toHaveLength(0);
    expect(read({ dims: [2 ** 40, 2 ** 40, 0], dataType: DataType.INT64 }).data).toHaveLength(0);
  });

  test.each([0, 1, 2, 3, 5, 7])('raw_data at byte offset %i is copied to aligned memory', (shift) => {
    const values = Float64Array.of(1, -2, 3);
    const file = new Uint8Array(shift + values.byteLength);
    file.set(bytesOf(values), shift);
    const proto = { ...emptyProto, dims: [3], dataType: DataType.DOUBLE, rawData: file.subarray(shift) };
    const { data } = readTensor('w', proto, new Map());
    expect(data).toEqual(Float32Array.of(1, -2, 3));
    expect(data.byteOffset).toBe(0);
    expect(data.buffer).not.toBe(file.buffer);
  });

  test('the copy does not follow the file', () => {
    const rawData = bytesOf(Float32Array.of(1, 2));
    const { data } = readTensor('w', { ...emptyProto, dims: [2], dataType: DataType.FLOAT, rawData }, new Map());
    rawData.fill(0);
    expect(data).toEqual(Float32Array.of(1, 2));
  });
});

describe('errors name tensor, expected and got', () => {
  test('raw bytes', () => {
    expect(() => read({ dims: [2, 3], dataType: DataType.FLOAT, rawData: new Uint8Array(23) })).toThrow(
      new ModelError('w: expected 24 bytes for 2×3 of float32, got 23'),
    );
  });

  test('typed elements', () => {
    expect(() => read({ dims: [2, 3], dataType: DataType.FLOAT16, int32Data: [1] })).toThrow(
      new ModelError('w: expected 6 elements for 2×3 of float16, got 1'),
    );
  });

  test('values in the field of another type', () => {
    expect(() => read({ dims: [1], dataType: DataType.FLOAT, doubleData: [1] })).toThrow('expected 1 elements');
  });

  test('a negative dimension', () => {
    expect(() => read({ dims: [2, -1], dataType: DataType.FLOAT })).toThrow(
      new ModelError('w: expected dimensions of zero or more, got 2×-1'),
    );
  });

  test('dimensions beyond all memory, without allocating them', () => {
    for (const dims of [[2 ** 33], [2 ** 26, 2 ** 26], [2 ** 53 - 1, 2 ** 53 - 1]]) {
      expect(() => read({ dims, dataType: DataType.FLOAT, rawData: new Uint8Array(8) })).toThrow(ModelError);
      expect(() => read({ dims, dataType: DataType.INT64, int64Data: [1] })).toThrow(ModelError);
    }
  });

  test.each(['UNDEFINED', 'STRING', 'COMPLEX64', 'COMPLEX128'] as const)('%s', (type) => {
    expect(() => read({ dims: [1], dataType: DataType[type], rawData: new Uint8Array(16) })).toThrow(
      new ModelError(`w: expected a numeric element type, got ${type.toLowerCase()}`),
    );
  });

  test('types newer than onnx-proto', () => {
    expect(() => read({ dims: [1], dataType: 17 })).toThrow('got float8e4m3fn');
    expect(() => read({ dims: [1], dataType: 99 })).toThrow('got type 99');
  });

  test('a double that float32 cannot hold', () => {
    expect(() => read({ dims: [1], dataType: DataType.DOUBLE, doubleData: [1e300] })).toThrow(
      'got Infinity at index 0',
    );
  });
});

const emptyProto: TensorProto = {
  name: '',
  dims: [],
  dataType: 0,
  rawData: new Uint8Array(),
  floatData: undefined,
  doubleData: undefined,
  int32Data: undefined,
  int64Data: undefined,
  uint64Data: undefined,
  dataLocation: 0,
  externalData: [],
};

function toLong(value: bigint | number) {
  const bits = BigInt(value);
  return { low: Number(BigInt.asIntN(32, bits)), high: Number(BigInt.asIntN(32, bits >> 32n)), unsigned: false };
}
