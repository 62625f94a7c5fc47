import { addAbortSignal } from 'node:stream';
import { ImageError } from '../../common/errors.ts';

/** The argument that stands for standard input, and what results call a picture that comes on it. */
export const STANDARD_INPUT = '-';
const MAX_BYTES = 2 ** 30;

/** A list of pictures, or one picture. */
export type StandardInput = { readonly paths: readonly string[] } | { readonly picture: Uint8Array };

/**
 * Reads standard input to its end. Bytes that no list of names has begin a picture, of whatever format.
 * @throws ImageError for a picture of more than `maxBytes`
 */
export async function readStandardInput(
  signal: AbortSignal | undefined,
  maxBytes: number = MAX_BYTES,
): Promise<StandardInput> {
  if (signal) addAbortSignal(signal, process.stdin);
  const chunks: Buffer[] = [];
  let size = 0;
  let isPicture = false;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      // no name has a zero, and every picture one near its beginning
      if (size === 0) isPicture = chunk.includes(0);
      chunks.push(chunk);
      size += chunk.length;
      if (isPicture && size > maxBytes) {
        throw new ImageError(`standard input: expected at most ${maxBytes} bytes (maxBytes), got more`);
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
  const bytes = Buffer.concat(chunks);
  if (isPicture) return { picture: bytes };
  return {
    paths: bytes
      .toString()
      .split(/\r?\n/)
      .filter((line) => line !== ''),
  };
}
