import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { blocksOf, packedBytes } from '../nc4hw4.ts';

export interface PoolSpec {
  readonly kind: 'max' | 'average';
  readonly batch: number;
  readonly channels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
  /** Whether an average divides by padded positions too; those that only ceil_mode adds never count. */
  readonly countIncludePad: boolean;
}

/** Invocations of a workgroup, unless others beside it decide. */
const WORKGROUP = 64;

/** Maximum or mean of windows, on NC4HW4. Bindings: input, output. */
export function pool(spec: PoolSpec, workgroup = WORKGROUP): Dispatch {
  const planes = spec.batch * blocksOf(spec.channels);
  return dispatch('pool', {
    overrides: { WORKGROUP: workgroup, INVOCATIONS: workgroup, AVERAGE: spec.kind === 'average' ? 1 : 0 },
    params: packParams([
      planes,
      spec.inHeight,
      spec.inWidth,
      spec.outHeight,
      spec.outWidth,
      ...spec.kernel,
      ...spec.strides,
      ...spec.pads,
      ...spec.dilations,
      spec.countIncludePad ? 1 : 0,
    ]),
    bindingBytes: [
      packedBytes(spec.batch, spec.channels, spec.inHeight, spec.inWidth),
      packedBytes(spec.batch, spec.channels, spec.outHeight, spec.outWidth),
    ],
    workgroups: [Math.ceil((spec.outWidth * spec.outHeight) / workgroup), planes, 1],
  });
}
