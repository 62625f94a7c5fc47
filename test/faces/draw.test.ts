import { describe, expect, it } from 'vitest';
import { type DrawingContext, drawFaces, type Face } from '../../src/index.node.ts';

/** Writes down what is drawn, with the styles in force. */
function recorder() {
  const calls: { name: string; args: number[]; style: string; lineWidth: number }[] = [];
  const alignments: string[] = [];
  const saved: object[] = [];
  const state = {
    lineWidth: 7,
    strokeStyle: 'red',
    fillStyle: 'blue',
    font: '',
    textBaseline: 'alphabetic',
    textAlign: 'center',
  };
  const record =
    (name: string, style: 'strokeStyle' | 'fillStyle') =>
    (...args: unknown[]) => {
      const numbers = args.filter((arg): arg is number => typeof arg === 'number');
      calls.push({ name, args: numbers, style: state[style], lineWidth: state.lineWidth });
    };
  const context = Object.assign(state, {
    save: () => saved.push({ ...state }),
    restore: () => Object.assign(state, saved.pop()),
    strokeRect: record('strokeRect', 'strokeStyle'),
    beginPath: () => {},
    arc: record('arc', 'fillStyle'),
    fill: record('fill', 'fillStyle'),
    fillRect: record('fillRect', 'fillStyle'),
    fillText: (...args: unknown[]) => {
      alignments.push(state.textAlign);
      record('fillText', 'fillStyle')(...args);
    },
    measureText: (text: string) => ({ width: text.length * 6 }),
  });
  return { calls, alignments, context: context as unknown as DrawingContext & typeof state };
}

const face: Face = {
  box: [100, 50, 200, 180],
  score: 0.876,
  keypoints: [
    [120, 90],
    [180, 90],
    [150, 120],
    [125, 150],
    [175, 150],
  ],
};

describe('drawFaces on a canvas', () => {
  it.each([
    { side: 100, width: 32 },
    { side: 24, width: 24 },
    { side: 12, width: undefined },
  ])('a label is no wider than its box of $side pixels, or not there', ({ side, width }) => {
    const { calls, context } = recorder();
    drawFaces(context, [{ box: [50, 50, 50 + side, 50 + side], score: 0.5 }]);
    const labels = calls.filter(({ name }) => name === 'fillRect').map(({ args }) => args[2]!);
    if (width === undefined) return expect(labels).toEqual([]);
    // the box's lines are a part of it
    expect(labels).toHaveLength(1);
    expect(Math.abs(labels[0]! - width)).toBeLessThanOrEqual(2);
  });

  it('draws a box, five points and a score, whatever the state, and leaves that alone', () => {
    const { calls, alignments, context } = recorder();
    drawFaces(context, [face]);
    const rectangles = calls.filter(({ name }) => name === 'strokeRect');
    expect(rectangles.map(({ args }) => args)).toEqual([
      [100, 50, 100, 130],
      [100, 50, 100, 130],
    ]);
    expect(rectangles[1]).toMatchObject({ style: '#00e676', lineWidth: 2 });
    expect(calls.filter(({ name }) => name === 'arc').map(({ args }) => args.slice(0, 2))).toEqual(face.keypoints);
    expect(calls.filter(({ name }) => name === 'fillText')).toHaveLength(1);
    expect(alignments).toEqual(['left']);
    expect(context).toMatchObject({ lineWidth: 7, strokeStyle: 'red', fillStyle: 'blue', textAlign: 'center' });
  });

  it.each([0, 4, 98])('draws %i points of a face that has as many', (count) => {
    const { calls, context } = recorder();
    const keypoints = Array.from({ length: count }, (_, k) => [k, k + 1] as const);
    drawFaces(context, [{ ...face, keypoints }]);
    expect(calls.filter(({ name }) => name === 'arc').map(({ args }) => args.slice(0, 2))).toEqual(keypoints);
  });

  it('scales coordinates with the picture and widths with the screen', () => {
    const { calls, context } = recorder();
    drawFaces(context, [face], { scale: 3, pixelRatio: 2, lineWidth: 3, labels: false, colours: { box: 'lime' } });
    const rectangle = calls.findLast(({ name }) => name === 'strokeRect')!;
    expect(rectangle).toEqual({ name: 'strokeRect', args: [300, 150, 300, 390], style: 'lime', lineWidth: 6 });
    expect(calls.some(({ name }) => name === 'fillText')).toBe(false);
  });

  it('puts the strongest face on top, thins lines on small ones, and keeps labels in the picture', () => {
    const { calls, context } = recorder();
    const small: Face = { box: [-5, 2, 15, 22], score: 0.9 };
    drawFaces(context, [small, { ...face, score: 0.1 }]);
    const rectangles = calls.filter(({ name }) => name === 'strokeRect');
    expect(rectangles.map(({ args }) => args[0])).toEqual([100, 100, -5, -5]);
    expect(rectangles[3]!.lineWidth).toBe(1);
    const label = calls.findLast(({ name }) => name === 'fillRect')!;
    expect(label.args.slice(0, 2)).toEqual([0, 2]);
  });
});
