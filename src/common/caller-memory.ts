import { classNameOf } from './class-name.ts';

/**
 * The bytes, copied where threads share them: Dawn reads shared memory as if it were none and takes the process down,
 * and other platform APIs refuse it.
 */
export function unshared<T extends Uint8Array | Uint8ClampedArray>(bytes: T): T {
  return classNameOf(bytes.buffer) === 'SharedArrayBuffer' ? (bytes.slice() as T) : bytes;
}

/** @throws TypeError when the memory was transferred, or grew, since there were so many bytes */
export function assertKept(bytes: Uint8Array | Uint8ClampedArray, length: number): void {
  if (bytes.length === length) return;
  throw new TypeError(`image: expected its ${length} bytes to stay until the call ends, ${bytes.length} are left`);
}
