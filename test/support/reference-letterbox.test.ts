import { beforeAll, describe, expect, it } from 'vitest';
import { type Image, letterbox, loadOpenCv, resizeLinearUint8, resizeOpenCv } from './reference-letterbox.ts';
import { createRng, type Rng } from './rng.ts';

type Channels = 1 | 3 | 4;

function noise(rng: Rng, width: number, height: number, channels: Channels): Image {
  return { width, height, data: rng.bytes(width * height * channels) };
}

function differences(source: Image, channels: Channels, width: number, height: number): number {
  const expected = resizeOpenCv(source, channels, width, height);
  const actual = resizeLinearUint8(source, channels, width, height);
  expect(actual.length).toBe(expected.length);
  return actual.reduce((count, value, i) => count + (value === expected[i] ? 0 : 1), 0);
}

beforeAll(loadOpenCv);

describe('resizeLinearUint8 is OpenCV bit for bit', () => {
  it('on 400 random size pairs', () => {
    const rng = createRng(11);
    for (let i = 0; i < 400; i++) {
      const side = () => rng.int(1, rng.pick([3, 40, 200]));
      const channels = rng.pick([1, 3, 4] as const);
      const [width, height, toWidth, toHeight] = [side(), side(), side(), side()];
      const count = differences(noise(rng, width, height, channels), channels, toWidth, toHeight);
      expect(count, `#${i}: ${width}×${height}×${channels} → ${toWidth}×${toHeight}`).toBe(0);
    }
  });

  it.each([
    [1, 1, 7, 5],
    [1, 9, 4, 4],
    [9, 1, 4, 4],
    [5, 7, 1, 1],
    [64, 48, 32, 24],
    [65, 49, 32, 24],
    [63, 47, 126, 94],
    [640, 480, 640, 480],
    [1280, 960, 640, 480],
    [3, 2000, 2, 640],
    [4000, 3000, 640, 480],
    [3999, 2667, 640, 426],
    [3024, 4032, 480, 640],
    [320, 240, 1920, 1440],
  ])('on %i×%i → %i×%i', (width, height, toWidth, toHeight) => {
    expect(differences(noise(createRng(width), width, height, 3), 3, toWidth, toHeight)).toBe(0);
  });
});

describe('letterbox', () => {
  it('pastes at the top left and leaves zeros', () => {
    const data = createRng(1).bytes(50 * 20 * 3);
    const { canvas, blob, detScale, newWidth, newHeight } = letterbox(
      { width: 50, height: 20, channels: 3, data },
      [32, 64],
    );
    expect({ detScale, newWidth, newHeight }).toEqual({ detScale: 0.6, newWidth: 32, newHeight: 12 });
    expect(canvas.subarray(0, 32 * 12 * 3)).toEqual(resizeOpenCv({ width: 50, height: 20, data }, 3, 32, 12));
    expect(canvas.subarray(32 * 12 * 3).every((byte) => byte === 0)).toBe(true);
    expect([...blob.slice(0, 1), ...blob.slice(-1)]).toEqual([(canvas[0]! - 127.5) / 128, -0.99609375]);
    expect(blob[32 * 64 + 5]).toBe((canvas[5 * 3 + 1]! - 127.5) / 128);
  });

  it('truncates the free side: 640 × 427/640 of a 427×640 picture', () => {
    const { newWidth, newHeight, detScale } = letterbox(
      { width: 427, height: 640, channels: 3, data: new Uint8Array(427 * 640 * 3) },
      [320, 320],
    );
    expect([newWidth, newHeight, detScale]).toEqual([213, 320, 0.5]);
  });

  it('ignores alpha', () => {
    const rng = createRng(2);
    const rgba = rng.bytes(30 * 20 * 4);
    const rgb = rgba.filter((_, i) => i % 4 !== 3);
    expect(letterbox({ width: 30, height: 20, channels: 4, data: rgba }, [64, 64])).toEqual(
      letterbox({ width: 30, height: 20, channels: 3, data: rgb }, [64, 64]),
    );
  });

  it('refuses a picture that would have no pixels', () => {
    const pixels = { width: 1, height: 2000, channels: 3, data: new Uint8Array(6000) } as const;
    expect(() => letterbox(pixels, [640, 640])).toThrow('too thin');
  });
});
