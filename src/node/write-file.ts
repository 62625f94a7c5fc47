import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file beside its place and then puts it there, so that a reader never sees half of one and a failure, of
 * `produce` too, leaves what was there before.
 * @throws the given error, naming the path
 */
export async function writeWhole(
  path: string,
  produce: () => Uint8Array | Promise<Uint8Array>,
  ErrorType: new (message: string, options: ErrorOptions) => Error,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    await writeFile(temporary, await produce(), { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new ErrorType(`${path}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}
