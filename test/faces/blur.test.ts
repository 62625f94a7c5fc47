import { describe, expect, it } from 'vitest';
import { blurFaces, type Face, type Pixels } from '../../src/index.node.ts';
import { createRng } from '../support/rng.ts';

function noise(width: number, height: number, channels: 3 | 4): Pixels {
  return { data: createRng(1).bytes(width * height * channels), width, height, channels };
}

function face(box: Face['box']): Pick<Face, 'box'> {
  return { box };
}

/** Of the red channel within a rectangle. */
function variance({ data, width, channels }: Pixels, [x1, y1, x2, y2]: Face['box']): number {
  const values: number[] = [];
  for (let y = y1; y < y2; y++) for (let x = x1; x < x2; x++) values.push(data[(y * width + x) * channels]!);
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

describe('blurFaces', () => {
  it.each([3, 4] as const)('hides what is in the ellipse and touches nothing else, %i channels', (channels) => {
    const image = noise(120, 90, channels);
    const before = image.data.slice();
    const box = [20, 10, 70, 80] as const;
    const hidden = blurFaces(image, [face(box)], { margin: 0 });
    expect(image.data).toEqual(before);
    expect(hidden).toMatchObject({ width: 120, height: 90, channels });
    let changed = 0;
    for (let y = 0; y < 90; y++) {
      for (let x = 0; x < 120; x++) {
        const inside = ((x + 0.5 - 45) / 25) ** 2 + ((y + 0.5 - 45) / 35) ** 2 <= 1;
        const at = (y * 120 + x) * channels;
        const same = image.data.subarray(at, at + 3).every((value, c) => value === hidden.data[at + c]);
        if (!inside) expect(same, `pixel ${x}, ${y}`).toBe(true);
        else if (!same) changed++;
        if (channels === 4) expect(hidden.data[at + 3]).toBe(image.data[at + 3]);
      }
    }
    expect(changed).toBeGreaterThan(2500);
    expect(variance(hidden, [35, 30, 55, 60])).toBeLessThan(variance(image, [35, 30, 55, 60]) / 20);
  });

  it('keeps mean colours: a flat picture stays as it is', () => {
    const flat: Pixels = { data: new Uint8Array(60 * 40 * 3).fill(77), width: 60, height: 40, channels: 3 };
    for (let width = 1; width < 40; width++) {
      for (let height = 1; height < 30; height++) {
        const box = [5, 5, 5 + width, 5 + height] as const;
        const { data } = blurFaces(flat, [face(box)], { shape: 'box', margin: 0 });
        expect(
          data.every((value) => value === 77),
          `${width}×${height}`,
        ).toBe(true);
      }
    }
  });

  it('hides a face that the border cuts as it hides a whole one', () => {
    const image = noise(60, 60, 3);
    const hidden = blurFaces(image, [face([-30, -30, 30, 30])], { margin: 0 });
    const changed = (x: number, y: number) => {
      const at = (y * 60 + x) * 3;
      return image.data.subarray(at, at + 3).some((value, c) => value !== hidden.data[at + c]);
    };
    // the face's middle, and beyond the ellipse
    expect([changed(0, 0), changed(1, 1), changed(26, 26), changed(29, 29)]).toEqual([true, true, false, false]);
    const one = blurFaces(image, [face([-30, -30, 30, 30])], { margin: 0, blocks: 2, shape: 'box' });
    // of its two by two squares the picture shows one
    expect(variance(one, [0, 0, 30, 30])).toBe(0);
    expect(blurFaces(image, [face([-1e9, -1e9, 1e9, 1e9])], { shape: 'box' })).not.toEqual(image);
  });

  it('knows faces at the border, beyond it, tiny and inside out', () => {
    const image = noise(50, 40, 3);
    const boxes = [
      [-20, -20, 15, 15],
      [40, 30, 90, 90],
      [200, 200, 300, 300],
      [10, 10, 10.2, 10.2],
      [30, 30, 20, 20],
    ] as const;
    const hidden = blurFaces(image, boxes.map(face), { shape: 'box', margin: 0 });
    expect(variance(hidden, [0, 0, 14, 14])).toBeLessThan(variance(image, [0, 0, 14, 14]) / 2);
    expect(blurFaces(image, [face(boxes[2])])).toEqual(image);
    expect(blurFaces(image, [])).toEqual(image);
  });

  it('one block is one colour', () => {
    const hidden = blurFaces(noise(50, 40, 3), [face([10, 10, 30, 30])], { blocks: 1, shape: 'box', margin: 0 });
    expect(variance(hidden, [10, 10, 30, 30])).toBe(0);
  });

  it.each([
    [{ blocks: 0 }, 'blocks: expected an integer from 1 to 64, got 0'],
    [{ margin: -1 }, 'margin: expected a number from 0 to 2, got -1'],
    [{ shape: 'star' }, "shape: expected 'ellipse' or 'box', got star"],
  ])('%j is refused', (options, message) => {
    expect(() => blurFaces(noise(4, 4, 3), [], options as object)).toThrow(message);
  });

  it('refuses boxes and pixels that are none', () => {
    expect(() => blurFaces(noise(4, 4, 3), [face([0, 0, Number.NaN, 1])])).toThrow('box: expected four finite numbers');
    expect(() => blurFaces({ ...noise(4, 4, 3), width: 5 }, [])).toThrow(RangeError);
  });
});
