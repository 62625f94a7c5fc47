import { flatGrid, type Launch, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { lanesFor, WORKGROUP } from './lanes.ts';

/** One axis of a row-major tensor, seen as outer × axis × inner. */
export interface AxisSpec {
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
}

/** What a launch on slices along an axis needs besides what is done with them. Bindings: input, output. */
export function sliceLaunch({ outer, axis, inner }: AxisSpec, floats: readonly number[] = []): Launch {
  const count = outer * inner;
  const bytes = floatBytes(count * axis);
  const lanes = lanesFor(count, axis);
  return {
    consts: { LANES: lanes },
    params: packParams([count, axis, inner], floats),
    bindingBytes: [bytes, bytes],
    workgroups: flatGrid(count * lanes, WORKGROUP),
  };
}
