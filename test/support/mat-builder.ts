import { deflateSync } from 'node:zlib';

/** Data types of numbers, by name. */
const TYPES = { int8: 1, uint8: 2, int16: 3, uint16: 4, int32: 5, uint32: 6, single: 7, double: 9, int64: 12 } as const;

/** Text, cells by columns, or numbers by columns with their shape and the type they are stored as. */
export type MatValue =
  | string
  | { readonly cells: readonly MatValue[]; readonly dims?: readonly number[] }
  | { readonly dims: readonly number[]; readonly numbers: readonly number[]; readonly type?: keyof typeof TYPES }
  /** An array of a class without contents. */
  | { readonly mxClass: number };

export interface MatFormat {
  readonly compressed?: boolean;
  readonly littleEndian?: boolean;
  /** Up to four bytes in the tag itself, as MATLAB writes them. */
  readonly small?: boolean;
}

/** A MATLAB level 5 file. */
export function buildMat(
  variables: Readonly<Record<string, MatValue>>,
  { compressed = true, littleEndian = true, small = true }: MatFormat = {},
): Uint8Array<ArrayBuffer> {
  const uint = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    if (littleEndian) buffer.writeUIntLE(value, 0, bytes);
    else buffer.writeUIntBE(value, 0, bytes);
    return buffer;
  };
  const element = (type: number, data: Uint8Array) => {
    const pad = (bytes: number) => Buffer.alloc(bytes);
    if (small && data.length > 0 && data.length <= 4) {
      return Buffer.concat([uint(data.length * 2 ** 16 + type, 4), data, pad(4 - data.length)]);
    }
    return Buffer.concat([uint(type, 4), uint(data.length, 4), data, pad((8 - (data.length % 8)) % 8)]);
  };
  const numbers = (values: readonly number[], type: keyof typeof TYPES) => {
    const bytes = { int8: 1, uint8: 1, int16: 2, uint16: 2, int32: 4, uint32: 4, single: 4, double: 8, int64: 8 }[type];
    const view = new DataView(new ArrayBuffer(values.length * bytes));
    for (const [i, value] of values.entries()) {
      const at = i * bytes;
      if (type === 'single') view.setFloat32(at, value, littleEndian);
      else if (type === 'double') view.setFloat64(at, value, littleEndian);
      else if (type === 'int64') view.setBigInt64(at, BigInt(value), littleEndian);
      else if (bytes === 4) view.setInt32(at, value, littleEndian);
      else if (bytes === 2) view.setInt16(at, value, littleEndian);
      else view.setInt8(at, value);
    }
    return element(TYPES[type], new Uint8Array(view.buffer));
  };
  const matrix = (name: string, mxClass: number, dims: readonly number[], contents: readonly Uint8Array[]) =>
    element(
      14,
      Buffer.concat([
        numbers([mxClass, 0], 'uint32'),
        numbers(dims, 'int32'),
        element(1, Buffer.from(name, 'latin1')),
        ...contents,
      ]),
    );
  const variable = (value: MatValue, name = ''): Buffer => {
    if (typeof value === 'string') {
      const units = Buffer.concat([...value].map((character) => uint(character.charCodeAt(0), 2)));
      return matrix(name, 4, [value === '' ? 0 : 1, value.length], [element(TYPES.uint16, units)]);
    }
    if ('mxClass' in value) return matrix(name, value.mxClass, [1, 1], []);
    if ('cells' in value) {
      const { cells, dims = [cells.length, 1] } = value;
      return matrix(
        name,
        1,
        dims,
        cells.map((cell) => variable(cell)),
      );
    }
    return matrix(name, 6, value.dims, [numbers(value.numbers, value.type ?? 'double')]);
  };
  const header = Buffer.concat([
    Buffer.from('MATLAB 5.0 MAT-file'.padEnd(124)),
    uint(0x100, 2),
    Buffer.from(littleEndian ? 'IM' : 'MI'),
  ]);
  const parts = Object.entries(variables).map(([name, value]) => {
    const array = variable(value, name);
    if (!compressed) return array;
    const packed = deflateSync(array);
    return Buffer.concat([uint(15, 4), uint(packed.length, 4), packed]);
  });
  return Uint8Array.from(Buffer.concat([header, ...parts]));
}
