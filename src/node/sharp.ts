import { ImageError } from '../common/errors.ts';

/** Kept out of the entry's declarations: sharp is an optional peer, and so are its types. */
export async function loadSharp() {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new ImageError(
      missing
        ? 'Reading and writing pictures in Node needs the package sharp: npm install sharp (or pass decoded pixels)'
        : `The package sharp does not load on ${process.platform}-${process.arch}; reinstall it: npm install --include=optional sharp`,
      { cause: error },
    );
  }
}
