import { classNameOf } from './class-name.ts';

/**
 * The bytes, copied where they may change or go while they are read, or are another realm's: Dawn reads memory that threads
 * share as if it were none and takes the process down, and other platform APIs refuse that and buffers that can be resized.
 */
export function steadyBytes(
  bytes: Uint8Array | Uint8ClampedArray,
): Uint8Array<ArrayBuffer> | Uint8ClampedArray<ArrayBuffer> {
  const ours = bytes instanceof Uint8Array || bytes instanceof Uint8ClampedArray;
  const { buffer } = bytes as { readonly buffer: ArrayBufferLike & { readonly resizable?: boolean } };
  // not by slice(), which copies nothing of a Buffer
  return ours && buffer instanceof ArrayBuffer && !buffer.resizable
    ? (bytes as Uint8Array<ArrayBuffer>)
    : new Uint8Array(bytes);
}

/** Steady bytes of what may hold some; of a transferred buffer there are none. Null for anything else. */
export function readBytes(value: unknown): Uint8Array<ArrayBuffer> | null {
  const kind = classNameOf(value);
  if (kind !== 'Uint8Array' && kind !== 'ArrayBuffer' && kind !== 'SharedArrayBuffer') return null;
  if ((value as Uint8Array).byteLength === 0) return new Uint8Array();
  const bytes = kind === 'Uint8Array' ? (value as Uint8Array) : new Uint8Array(value as ArrayBufferLike);
  return steadyBytes(bytes) as Uint8Array<ArrayBuffer>;
}

/** @throws TypeError when the memory was transferred, or grew, since there were so many bytes */
export function assertKept(bytes: Uint8Array | Uint8ClampedArray, length: number): void {
  if (bytes.length === length) return;
  throw new TypeError(`image: expected its ${length} bytes to stay until the call ends, ${bytes.length} are left`);
}
