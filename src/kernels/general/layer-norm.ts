import type { Dispatch } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';
import { sliceLaunch } from './slice-launch.ts';

/** Of `outer` rows of `size` elements. Bindings: input, all scales and then all shifts, output. */
export function layerNorm(outer: number, size: number, epsilon: number): Dispatch {
  const launch = sliceLaunch({ outer, axis: size, inner: 1 }, [epsilon]);
  const [input, output] = launch.bindingBytes as [number, number];
  return dispatch('layer-norm', { ...launch, bindingBytes: [input, floatBytes(2 * size), output] });
}
