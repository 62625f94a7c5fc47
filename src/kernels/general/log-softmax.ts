import type { Dispatch } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';
import { type AxisSpec, sliceLaunch } from './slice-launch.ts';

/** Bindings: input, output. */
export function logSoftmax(spec: AxisSpec): Dispatch {
  return dispatch('log-softmax', sliceLaunch(spec, [Infinity, NaN]));
}
