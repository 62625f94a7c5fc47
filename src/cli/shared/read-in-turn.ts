import { ImageError } from '../../common/errors.ts';
import type { Pixels } from '../../common/image.ts';
import { type EncodedImage, openEncoded, type ReadImageOptions, type UndecodedImage } from '../../node/images.ts';
import { WeightedQueue } from '../../node/weighted-queue.ts';

/** Pixels that pictures have together from being decoded until they are done with: 800 MB, or one larger picture. */
const PIXELS_HELD = 2 ** 28;

/** A decoded picture in memory. */
class HeldPicture {
  /** What reading and decoding took, waits for others apart. */
  readonly decodeMs: number;
  #pixels: Pixels | null;
  readonly #leave: () => void;

  constructor(pixels: Pixels, decodeMs: number, leave: () => void) {
    this.decodeMs = decodeMs;
    this.#pixels = pixels;
    this.#leave = leave;
  }

  get pixels(): Pixels {
    return this.#pixels!;
  }

  /** Makes room for others. */
  leave(): void {
    // loops that wait for the next picture still hold this one
    this.#pixels = null;
    this.#leave();
  }
}

/**
 * Decodes pictures as there is room for their pixels: in the order in which they are asked for, so that none waits for one that
 * comes after it. Files and headers are read meanwhile.
 */
export function readInTurn(
  open: (image: string) => Promise<UndecodedImage>,
  signal: AbortSignal,
): (image: string) => Promise<HeldPicture> {
  const memory = new WeightedQueue(PIXELS_HELD);
  let admitted: Promise<unknown> = Promise.resolve();
  return async (image) => {
    const opening = timed(() => open(image));
    const entering = Promise.allSettled([opening, admitted]).then(async () => {
      const { result: picture, ms } = await opening;
      return { picture, ms, leave: await memory.enter(picture.width * picture.height, signal) };
    });
    admitted = entering.catch(() => {});
    const { picture, ms, leave } = await entering;
    try {
      const decoded = await timed(() => picture.decode());
      return new HeldPicture(decoded.result, ms + decoded.ms, leave);
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/** What comes of a task, and its milliseconds. */
export async function timed<T>(task: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  const start = performance.now();
  const result = await task();
  return { result, ms: performance.now() - start };
}

/** @throws ImageError for a picture too small to show a face, too */
export async function openPicture(
  image: EncodedImage,
  options: ReadImageOptions,
  name: string,
): Promise<UndecodedImage> {
  const picture = await openEncoded(image, options, name);
  const { width, height } = picture;
  if (width < 2 || height < 2) throw new ImageError(`${name}: expected at least 2×2 pixels, got ${width}×${height}`);
  return picture;
}
