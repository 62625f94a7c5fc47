import type { Dispatch } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';
import { type AxisSpec, sliceLaunch } from './slice-launch.ts';

/** By the first or second norm. Bindings: input, output. */
export function lpNorm(spec: AxisSpec, p: 1 | 2): Dispatch {
  return dispatch('lp-norm', { overrides: { SQUARES: Number(p === 2) }, ...sliceLaunch(spec) });
}
