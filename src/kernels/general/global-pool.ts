import { type Dispatch, MAX_WORKGROUPS, packParams } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

export interface GlobalPoolSpec {
  readonly kind: 'max' | 'average';
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Reduces height and width to 1×1. Bindings: input, output. */
export function globalPool(spec: GlobalPoolSpec): Dispatch {
  const planes = spec.batch * blocksOf(spec.channels);
  const planeSize = spec.height * spec.width;
  return dispatch('global-pool', {
    overrides: { AVERAGE: spec.kind === 'average' ? 1 : 0 },
    params: packParams([planeSize]),
    bindingBytes: [planes * planeSize * 16, planes * 16],
    workgroups: [Math.min(planes, MAX_WORKGROUPS), Math.ceil(planes / MAX_WORKGROUPS), 1],
  });
}
