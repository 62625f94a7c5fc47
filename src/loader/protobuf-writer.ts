import { BYTES, FIXED32, VARINT } from './protobuf-reader.ts';

/** Encoded protobuf fields, in parts that `concatenate` joins once at the end. */
export type Bytes = readonly Uint8Array[];

const TEXT = new TextEncoder();

const lengthOf = (parts: Bytes) => parts.reduce((sum, part) => sum + part.byteLength, 0);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

const tag = (field: number, wire: number) => varint(field * 8 + wire);

export const int = (field: number, value: number): Bytes => [tag(field, VARINT), varint(value)];

/** A field of bytes, or of a message that is encoded already. */
export const bytes = (field: number, content: Bytes): Bytes => [
  tag(field, BYTES),
  varint(lengthOf(content)),
  ...content,
];

export const string = (field: number, value: string): Bytes => bytes(field, [TEXT.encode(value)]);

export function float(field: number, value: number): Bytes {
  const content = new Uint8Array(4);
  new DataView(content.buffer).setFloat32(0, value, true);
  return [tag(field, FIXED32), content];
}

export function concatenate(parts: Bytes): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(lengthOf(parts));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.byteLength;
  }
  return all;
}
