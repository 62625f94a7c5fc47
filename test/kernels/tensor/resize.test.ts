import { describe, expect, it } from 'vitest';
import {
  type NearestMode,
  packResizeTable,
  type ResizeMode,
  resize,
  resizeAxis,
} from '../../../src/kernels/tensor/resize.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { type NearestMode as ReferenceNearest, resize as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { type Dims4, randomImage } from '../support/images.ts';
import { runDispatch } from '../support/run-steps.ts';

const COORDINATES = ['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners'] as const;
const NEAREST = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil', 'simple'] as const;

const MODES: readonly ResizeMode[] = COORDINATES.flatMap((coordinates): ResizeMode[] => [
  { mode: 'linear', coordinates, nearest: 'floor' },
  ...NEAREST.map((nearest) => ({ mode: 'nearest', coordinates, nearest }) as const),
]);

/** From, to: height and width. */
const SIZES: readonly (readonly [from: readonly [number, number], to: readonly [number, number]])[] = [
  [
    [4, 5],
    [8, 10],
  ],
  [
    [5, 7],
    [15, 21],
  ],
  [
    [8, 10],
    [4, 5],
  ],
  [
    [9, 13],
    [4, 5],
  ],
  [
    [7, 5],
    [10, 12],
  ],
  [
    [6, 9],
    [6, 9],
  ],
  [
    [5, 6],
    [1, 1],
  ],
  [
    [1, 1],
    [3, 4],
  ],
  [
    [3, 20],
    [7, 8],
  ],
];

/** The shared reference has no `simple`: it is ceil where the scale shrinks, else floor. */
function nearestOf(nearest: NearestMode, scale: number): ReferenceNearest {
  if (nearest !== 'simple') return nearest;
  return scale < 1 ? 'ceil' : 'floor';
}

describe.each(MODES.map((mode) => [Object.values(mode).join(' '), mode] as const))('resize %s', (_, mode) => {
  it.each(SIZES.map(([from, to]) => [from.join('×'), to.join('×'), from, to] as const))(
    '%s to %s',
    async (_from, _to, [inHeight, inWidth], [outHeight, outWidth]) => {
      const [batch, channels] = [2, 5];
      const scales = [outHeight / inHeight, outWidth / inWidth] as const;
      await checkResize([batch, channels, inHeight, inWidth], [outHeight, outWidth], scales, mode);
    },
  );
});

async function checkResize(
  dims: Dims4,
  [outHeight, outWidth]: readonly [number, number],
  scales: readonly [number, number],
  mode: ResizeMode,
): Promise<void> {
  const [batch, channels, inHeight, inWidth] = dims;
  const image = randomImage(createRng(1), dims);
  const table = packResizeTable(
    resizeAxis(inHeight, outHeight, scales[0], mode),
    resizeAxis(inWidth, outWidth, scales[1], mode),
  );
  const dispatch = resize({ batch, channels, inHeight, inWidth, outHeight, outWidth });
  const output = new Float32Array(await runDispatch(dispatch, [image.packed, table]));
  // one axis at a time: `simple` may mean something else on each
  const wide = reference(image, [batch, channels, inHeight, outWidth], {
    ...mode,
    nearest: nearestOf(mode.nearest, scales[1]),
    scales: [1, 1, 1, scales[1]],
  });
  const expected = reference(wide, [batch, channels, outHeight, outWidth], {
    ...mode,
    nearest: nearestOf(mode.nearest, scales[0]),
    scales: [1, 1, scales[0], 1],
  });
  expectClose(unpackOnCpu(output, [batch, channels, outHeight, outWidth]), expected.data, {
    abs: mode.mode === 'nearest' ? 0 : 6 * 2 ** -24,
    reason: mode.mode === 'nearest' ? 'exact' : 'two mix() of numbers below 1, three roundings each',
  });
}

it('takes the file’s scale, not output / input', async () => {
  const mode: ResizeMode = { mode: 'linear', coordinates: 'half_pixel', nearest: 'floor' };
  await checkResize([1, 3, 5, 7], [8, 11], [1.7, 1.6], mode);
});

it('states its bindings and workgroups', () => {
  const spec = { batch: 2, channels: 5, inHeight: 3, inWidth: 4, outHeight: 9, outWidth: 8 };
  const { bindingBytes, workgroups } = resize(spec);
  expect(bindingBytes).toEqual([2 * 2 * 12 * 16, 17 * 16, 2 * 2 * 72 * 16]);
  expect(workgroups).toEqual([2, 4, 1]);
});
