import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

export interface LrnSpec {
  /** Channels of a window. */
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly bias: number;
}

const WORKGROUP = 64;

/** Local response normalisation of a row-major outer × channels × inner tensor. Bindings: input, output. */
export function lrn(outer: number, channels: number, inner: number, { size, alpha, beta, bias }: LrnSpec): Dispatch {
  const count = outer * channels * inner;
  const window = Math.min(size, 2 * channels);
  return dispatch('lrn', {
    overrides: { WORKGROUP },
    params: packParams(
      [count, channels, inner, Math.floor((window - 1) / 2), Math.ceil((window - 1) / 2)],
      [alpha / size, beta, bias],
    ),
    bindingBytes: [floatBytes(count), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
