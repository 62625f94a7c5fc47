import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/common/tensor.ts';
import { slice, transpose } from '../../../src/kernels/tensor/strided-copy.ts';
import { transpose as reference } from '../../support/reference-ops.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

const FIXED: readonly (readonly [dims: number[], perm: number[]])[] = [
  [[5], [0]],
  [
    [3, 70],
    [1, 0],
  ],
  [
    [1, 8, 6, 5],
    [0, 2, 3, 1],
  ],
  [
    [2, 3, 4, 5],
    [3, 2, 1, 0],
  ],
  [
    [2, 3, 4, 5],
    [0, 1, 2, 3],
  ],
];

function randomCases(): [dims: number[], perm: number[]][] {
  const rng = createRng(1);
  return [3, 4, 5, 5, 6, 6, 7, 7, 8, 8].map((rank) => {
    const dims = Array.from({ length: rank }, () => rng.int(1, rank > 5 ? 3 : 6));
    const perm = dims.map((_, axis) => axis);
    for (let i = rank - 1; i > 0; i--) {
      const j = rng.int(0, i);
      [perm[i], perm[j]] = [perm[j]!, perm[i]!];
    }
    return [dims, perm];
  });
}

describe('transpose', () => {
  it.each([...FIXED, ...randomCases()].map(([dims, perm]) => [`${dims.join('×')} by ${perm}`, dims, perm] as const))(
    '%s',
    async (_, dims, perm) => {
      const data = createRng(2).floats(sizeOf(dims));
      const output = await runDispatch(transpose(dims, perm), [data]);
      const expected = Float32Array.from(reference({ dims, data }, perm).data);
      expect(new Float32Array(output).subarray(0, expected.length)).toEqual(expected);
    },
  );

  it('states its bindings and workgroups', () => {
    const { bindingBytes, workgroups } = transpose([5, 27], [1, 0]);
    expect(bindingBytes).toEqual([544, 544]);
    expect(workgroups).toEqual([3, 1, 1]);
  });

  it('refuses nine dimensions', () => {
    const dims = new Array<number>(9).fill(1);
    expect(() => transpose(dims, [0, 1, 2, 3, 4, 5, 6, 7, 8])).toThrow(RangeError);
  });
});

describe('slice', () => {
  it.each([
    ['all of it', [3, 4], [0, 0], [1, 1], [3, 4]],
    ['the middle', [5, 6, 7], [1, 2, 3], [1, 1, 1], [3, 2, 4]],
    ['every third', [2, 17], [1, 2], [1, 3], [1, 5]],
    [
      'one element of 8 dimensions',
      [1, 2, 1, 3, 2, 1, 2, 4],
      [0, 1, 0, 2, 1, 0, 1, 3],
      [1, 1, 1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 1, 1, 1],
    ],
  ])('copies %s exactly', async (_, dims, starts, steps, outDims) => {
    const input = createRng(2).floats(sizeOf(dims));
    const result = new Float32Array(await runDispatch(slice(dims, { starts, steps, outDims }), [input]));
    const expected = Array.from({ length: sizeOf(outDims) }, (_, i) => {
      let rest = i;
      let at = 0;
      let stride = 1;
      for (let axis = dims.length - 1; axis >= 0; axis--) {
        at += (starts[axis]! + (rest % outDims[axis]!) * steps[axis]!) * stride;
        rest = Math.floor(rest / outDims[axis]!);
        stride *= dims[axis]!;
      }
      return input[at];
    });
    expect([...result.subarray(0, sizeOf(outDims))]).toEqual(expected);
  });
});
