import { describe, expect, test } from 'vitest';
import { checkPixels, isPixels } from '../../src/common/image.ts';
import { blurFaces } from '../../src/index.node.ts';

/** As decoders in Node make them: getters of a class, no channels. */
class Decoded {
  readonly [Symbol.toStringTag] = 'ImageData';
  readonly #channels: number;
  constructor(channels: number) {
    this.#channels = channels;
  }
  get data() {
    return new Uint8ClampedArray(4 * 2 * this.#channels);
  }
  get width() {
    return 4;
  }
  get height() {
    return 2;
  }
}

describe('pixels that do not say how many channels they have', () => {
  test.each([3, 4] as const)('%i, told by their length', (channels) => {
    const data = new Uint8Array(4 * 2 * channels);
    for (const image of [{ data, width: 4, height: 2 }, new Decoded(channels)]) {
      expect(isPixels(image)).toBe(true);
      expect(checkPixels(image)).toMatchObject({ width: 4, height: 2, channels });
      expect(blurFaces(image, [])).toMatchObject({ width: 4, height: 2, channels });
    }
  });

  test.each([1, 2, 5, 3.5])('%d is a RangeError that says how long they are', (channels) => {
    const data = new Uint8Array(4 * 2 * channels);
    expect(() => checkPixels({ data, width: 4, height: 2 })).toThrow(
      new RangeError(`image: expected 3 or 4 channels, got ${data.length} bytes for 4×2`),
    );
  });
});
