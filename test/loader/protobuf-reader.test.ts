import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import onnxProto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { floatTensor, intTensor } from '../../src/common/tensor.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { modelProto, PackedNumbers, tensorProto } from '../../src/loader/onnx-messages.ts';
import { EndsEarlyError, ProtobufReader } from '../../src/loader/protobuf-reader.ts';
import { modelFiles, withData } from '../support/data.ts';
import { buildModel, float, floats, int, ints, tensor, text, texts } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';

const rng = createRng(20_260_117);

const [VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32] = [0, 1, 2, 3, 4, 5] as const;

function reader(...bytes: number[]): ProtobufReader {
  return new ProtobufReader(Uint8Array.from(bytes));
}

/** As few bytes as protobuf needs. */
function varint(value: bigint | number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const tag = (field: number, wire: number) => varint(field * 8 + wire);

/** A length-delimited field. */
const bytes = (field: number, content: readonly number[]) => [
  ...tag(field, BYTES),
  ...varint(content.length),
  ...content,
];

const little = (array: Float32Array | Float64Array) => [...new Uint8Array(array.buffer)];

const tensorOf = (...fields: readonly (readonly number[])[]) => tensorProto.decode(Uint8Array.from(fields.flat()));

const repeat = (count: number, ...content: number[]) => new Array<number[]>(count).fill(content).flat();

describe('integers', () => {
  test.each<[string, number[], bigint]>([
    ['0', [0], 0n],
    ['the largest of one byte', [0x7f], 127n],
    ['the smallest of two', [0x80, 1], 128n],
    ['300', [0xac, 2], 300n],
    ['2^28 - 1, four bytes', [0xff, 0xff, 0xff, 0x7f], 2n ** 28n - 1n],
    ['2^31, beyond a signed half', [0x80, 0x80, 0x80, 0x80, 8], 2n ** 31n],
    ['2^32, the upper half alone', [0x80, 0x80, 0x80, 0x80, 0x10], 2n ** 32n],
    ['2^63 - 1', [...repeat(8, 0xff), 0x7f], 2n ** 63n - 1n],
    ['-1', [...repeat(9, 0xff), 1], -1n],
    ['-2^63', [...repeat(9, 0x80), 1], -(2n ** 63n)],
    ['1 in ten bytes, more than it needs', [0x81, ...repeat(8, 0x80), 0], 1n],
    ['bits beyond 64, which are dropped', [...repeat(9, 0xff), 0x7f], -1n],
  ])('%s', (_, content, expected) => {
    const from = reader(...content, 1);
    expect(from.int64()).toBe(expected);
    expect(from.done).toBe(false);
    expect(from.int()).toBe(1);
    expect(from.done).toBe(true);
    expect(reader(...content).int32()).toBe(Number(BigInt.asIntN(32, expected)));
  });

  test('any 64 bits', () => {
    for (let round = 0; round < 2000; round++) {
      const word = new DataView(rng.bytes(8).buffer).getBigInt64(0);
      const value = word >> BigInt(rng.int(0, 63));
      const content = varint(value);
      expect(reader(...content).int64()).toBe(value);
      expect(reader(...content).int32()).toBe(Number(BigInt.asIntN(32, value)));
      const limit = Number.MAX_SAFE_INTEGER;
      const near = value > limit ? limit : value < -limit ? -limit : Number(value);
      expect(reader(...content).int()).toBe(near);
    }
  });

  test('numbers saturate beyond ±2^53', () => {
    const int = (value: bigint) => reader(...varint(value)).int();
    expect(int(2n ** 53n - 1n)).toBe(2 ** 53 - 1);
    expect(int(2n ** 53n)).toBe(2 ** 53 - 1);
    expect(int(2n ** 63n - 1n)).toBe(2 ** 53 - 1);
    expect(int(-(2n ** 53n) + 1n)).toBe(1 - 2 ** 53);
    expect(int(-(2n ** 53n))).toBe(1 - 2 ** 53);
    expect(int(-(2n ** 63n))).toBe(1 - 2 ** 53);
  });

  test('more than ten bytes are refused', () => {
    for (const last of [0, 1]) {
      const error = catchError(() => reader(...repeat(10, 0x80), last).int());
      expect(error).not.toBeInstanceOf(EndsEarlyError);
      expect(error.message).toBe('expected an integer of at most 10 bytes, got more');
    }
  });

  test('cut anywhere', () => {
    for (let length = 0; length < 10; length++) {
      for (const read of ['int', 'int32', 'int64'] as const) {
        expect(() => reader(...repeat(length, 0xff))[read]()).toThrow(
          new EndsEarlyError('expected 1 more bytes, got 0'),
        );
      }
    }
  });
});

describe('fixed sizes and bytes', () => {
  test('floats, little-endian, at any offset', () => {
    const from = reader(1, ...little(Float32Array.of(-0.1, NaN)));
    expect([from.int(), from.float(), from.float()]).toEqual([1, Math.fround(-0.1), NaN]);
    expect(from.done).toBe(true);
  });

  test('cut', () => {
    expect(() => reader(0, 0, 0).float()).toThrow(new EndsEarlyError('expected 4 more bytes, got 3'));
    expect(() => reader(3, 1, 2).bytes()).toThrow(new EndsEarlyError('expected 3 more bytes, got 2'));
    expect(() => reader(...varint(2n ** 32n), 1).bytes()).toThrow(EndsEarlyError);
    expect(() => reader(...varint(2n ** 63n - 1n), 1).bytes()).toThrow(EndsEarlyError);
    expect(() => reader(...varint(-2), 1).bytes()).toThrow('expected a length of zero or more, got -2');
  });

  test('bytes are a view of the file, wherever it lies in its buffer', () => {
    const file = Uint8Array.of(9, 9, 9, ...bytes(9, [5, 6, 7]), 9).subarray(3, 8);
    const { rawData } = tensorProto.decode(file);
    expect(rawData).toEqual(Uint8Array.of(5, 6, 7));
    expect(rawData.buffer).toBe(file.buffer);
  });

  test('a message ends where its length says, not where the file does', () => {
    const inside = [...tag(2, VARINT), 0x80];
    expect(() => modelProto.decode(Uint8Array.from([...bytes(8, inside), 1, 1, 1]))).toThrow(EndsEarlyError);
  });
});

describe('unknown fields', () => {
  const known = [...tag(2, VARINT), 7];

  test.each<[string, number[]]>([
    ['a varint', [...tag(99, VARINT), ...varint(-1)]],
    ['eight bytes', [...tag(99, FIXED64), ...repeat(8, 0xff)]],
    ['bytes', bytes(99, repeat(300, 0xff))],
    ['no bytes', bytes(99, [])],
    ['four bytes', [...tag(99, FIXED32), ...repeat(4, 0xff)]],
    ['an empty group', [...tag(99, GROUP), ...tag(99, GROUP_END)]],
    [
      'a group of everything',
      [
        ...tag(99, GROUP),
        ...known,
        ...[...tag(1, FIXED64), ...repeat(8, 1)],
        ...bytes(3, tag(99, GROUP_END)),
        ...[...tag(98, GROUP), ...known, ...tag(98, GROUP_END)],
        ...[...tag(2, FIXED32), ...repeat(4, 1)],
        ...tag(99, GROUP_END),
      ],
    ],
    [
      'groups nested beyond the stack',
      [...repeat(100_000, ...tag(1, GROUP)), ...repeat(100_000, ...tag(1, GROUP_END))],
    ],
    ['the highest field number', [...tag(2 ** 29 - 1, VARINT), 1]],
    ['a known field of another wire type', [...tag(2, FIXED32), ...repeat(4, 1)]],
  ])('%s', (_, unknown) => {
    const empty = tensorOf();
    expect(tensorOf(unknown)).toEqual(empty);
    expect(tensorOf(known, unknown)).toEqual({ ...empty, dataType: 7 });
    expect(tensorOf(unknown, known)).toEqual({ ...empty, dataType: 7 });
    for (let end = 1; end < Math.min(unknown.length, 1000); end++) {
      expect(() => tensorOf(unknown.slice(0, end)), `cut at ${end}`).toThrow(EndsEarlyError);
    }
  });

  test.each<[string, number[], string]>([
    ['field 0', tag(0, VARINT), 'expected a field number of 1 to 2^29 - 1, got 0'],
    ['a field number beyond 29 bits', tag(2 ** 29, VARINT), 'expected a field number of 1 to 2^29 - 1, got 536870912'],
    ['a negative tag', varint(-8), 'expected a field number of 1 to 2^29 - 1, got -1'],
    ['the end of no group', tag(3, GROUP_END), 'expected a value of field 3, got wire type 4'],
    [
      'the end of another group',
      [...tag(3, GROUP), ...tag(4, GROUP_END)],
      'expected a value of field 4, got wire type 4',
    ],
    ['wire type 6', tag(3, 6), 'expected a value of field 3, got wire type 6'],
    ['wire type 7', tag(2, 7), 'expected a value of field 2, got wire type 7'],
  ])('%s is refused', (_, content, message) => {
    const error = catchError(() => tensorOf(content, [0]));
    expect(error).not.toBeInstanceOf(EndsEarlyError);
    expect(error.message).toBe(message);
  });
});

describe('repeated fields', () => {
  const fixed32 = [1.5, -2, 3e38].map((value) => little(Float32Array.of(value)));
  const fixed64 = [1.5, -1e300, 5e-324].map((value) => little(Float64Array.of(value)));
  const integers = [0n, -1n, 300n, 2n ** 63n - 1n].map(varint);

  test('dims: one a tag, packed, and both by turns', () => {
    const values = [0, -1, 300, Number.MAX_SAFE_INTEGER];
    const single = integers.flatMap((value) => [...tag(1, VARINT), ...value]);
    const packed = bytes(1, integers.flat());
    expect(tensorOf().dims).toEqual([]);
    expect(tensorOf(single).dims).toEqual(values);
    expect(tensorOf(packed).dims).toEqual(values);
    expect(tensorOf(bytes(1, [])).dims).toEqual([]);
    expect(tensorOf(packed, single, packed).dims).toEqual([...values, ...values, ...values]);
    // the last value reaches past the end of the packed ones, not of the file
    expect(() => tensorOf(bytes(1, integers.flat().slice(0, -1)), packed)).toThrow(EndsEarlyError);
  });

  test.each([
    ['floatData', 4, FIXED32, fixed32],
    ['int32Data', 5, VARINT, integers],
    ['int64Data', 7, VARINT, integers],
    ['doubleData', 10, FIXED64, fixed64],
    ['uint64Data', 11, VARINT, integers],
  ] as const)('%s: one a tag, packed, and both by turns, as the file packs them', (name, field, wire, encoded) => {
    const single = encoded.flatMap((value) => [...tag(field, wire), ...value]);
    const values = encoded.flat();
    const packed = bytes(field, values);
    const read = (...parts: readonly number[][]) => [...(tensorOf(...parts)[name]?.bytes ?? [])];
    expect(read()).toEqual([]);
    expect(read(single)).toEqual(values);
    expect(read(packed)).toEqual(values);
    expect(read(bytes(field, []))).toEqual([]);
    expect(read(packed, single, packed)).toEqual([...values, ...values, ...values]);
    expect(read(bytes(field, []), packed)).toEqual(values);
    const file = Uint8Array.from(packed);
    expect(tensorProto.decode(file)[name]!.bytes.buffer, 'a view').toBe(file.buffer);
  });

  test('strings', () => {
    const model = modelProto.decode(
      Uint8Array.from(bytes(7, bytes(1, [...bytes(1, [0x61]), ...bytes(1, []), ...bytes(1, [0xc3, 0xa4])]))),
    );
    expect(model.graph!.node[0]!.input).toEqual(['a', '', 'ä']);
  });
});

describe('singular fields', () => {
  test('the last value counts', () => {
    const twice = [...tag(2, VARINT), 1, ...bytes(8, [0x61]), ...tag(2, VARINT), 7, ...bytes(8, [0x62])];
    expect(tensorOf(twice)).toMatchObject({ dataType: 7, name: 'b' });
  });

  test('a message that comes twice is merged', () => {
    const graph = (input: string, type: number) => {
      const shaped = bytes(2, bytes(1, [...tag(1, VARINT), type]));
      return bytes(7, bytes(11, [...bytes(1, [...Buffer.from(input)]), ...shaped]));
    };
    const { graph: merged } = modelProto.decode(Uint8Array.from([...graph('a', 1), ...graph('b', 7)]));
    const value = (name: string, elemType: number) => ({ name, type: { tensorType: { elemType, shape: undefined } } });
    expect(merged!.input).toEqual([value('a', 1), value('b', 7)]);
  });
});

/** Every field that the loader reads. */
const everything = buildModel({
  producer: 'häuser',
  inputs: [{ name: 'x', dims: [1, 'h', null, 640] }],
  outputs: [{ name: 'y', dims: [] }, 'z'],
  nodes: [
    {
      op: 'Conv',
      name: 'stem',
      inputs: ['x', 'w', ''],
      outputs: ['y'],
      attributes: {
        ...{ i: int(-1), f: float(0.1), s: text('é'), is: ints([0, -2, 2 ** 40]), fs: floats([1.5, -2]) },
        ...{ ss: texts(['a', '']), t: tensor(intTensor([2], [7, -1])), ref: { refAttrName: 'n' } },
      },
    },
    { op: 'Thing', domain: 'com.acme', inputs: ['y'], outputs: ['z'] },
  ],
  initializers: {
    w: floatTensor([4, 3, 1, 1], rng.floats(12)),
    typed: { dims: [2], dataType: 1, floatData: [1, -1] },
    doubles: { dims: [2], dataType: 11, doubleData: [1, -0.1] },
    halves: { dims: [3], dataType: 10, int32Data: [0x3c00, 1, 0x8000] },
    wide: { dims: [2], dataType: 7, int64Data: [-1, 2 ** 40] },
    unsigned: { dims: [1], dataType: 13, uint64Data: [2 ** 50] },
    beside: { dims: [2], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'v.bin' }] },
  },
  edit: (model) => {
    model.producerVersion = '1.8';
    // the version that the loader needs comes last, so that no cut spares it
    model.opsetImport.reverse();
  },
});

test('a model cut at any byte is refused', async () => {
  const readExternal = async () => new Uint8Array(8);
  expect((await loadModel(everything, { readExternal })).nodes).toHaveLength(2);
  for (let end = 0; end < everything.length; end++) {
    const loading = loadModel(everything.subarray(0, end), { readExternal });
    await expect(loading, `cut at ${end}`).rejects.toBeInstanceOf(ModelError);
  }
});

describe('reads what onnx-proto reads', () => {
  /** A value of onnx-proto's in the form of ours, which says which 64-bit integers are numbers. */
  function reshape(theirs: unknown, ours: unknown): unknown {
    // which read-tensor.test.ts is about
    if (ours instanceof PackedNumbers) return ours;
    if (ours instanceof Uint8Array) return Buffer.from(theirs as Uint8Array).toString('latin1');
    if (Array.isArray(ours)) return (theirs as unknown[]).map((item, index) => reshape(item, ours[index]));
    if (typeof ours === 'bigint') return BigInt(String(theirs));
    if (typeof ours === 'number') return Number(theirs ?? 0);
    if (typeof ours === 'string') return theirs ?? '';
    // numbers of a tensor that has none
    if (ours === undefined) return Array.isArray(theirs) && theirs.length === 0 ? undefined : (theirs ?? undefined);
    return Object.fromEntries(
      Object.entries(ours as object).map(([name, value]) => [
        name,
        reshape((theirs as Record<string, unknown>)[name], value),
      ]),
    );
  }

  function expectSame(file: Uint8Array): void {
    const ours = modelProto.decode(file);
    const theirs = onnxProto.onnx.ModelProto.decode(file);
    expect(ours.graph!.node.length).toBeGreaterThan(0);
    expect(reshape(ours, ours)).toEqual(reshape(theirs, ours));
  }

  test('of a model with every field', () => expectSame(everything));

  withData('real models', () => {
    for (const path of modelFiles()) test(basename(path), () => expectSame(readFileSync(path)));
  });
});

function catchError(act: () => void): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}
