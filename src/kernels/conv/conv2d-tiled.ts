import type { Dispatch } from '../dispatch.ts';
import { OCTET, weightBytes } from './conv2d-direct.ts';
import { type ConvSpec, convDispatch } from './spec.ts';

const PIXELS = 4;
/** Octets of a workgroup's tile at most. */
const MAX_OCTETS = 8;
/** Octets from which on half as many pixels make a workgroup of 64 invocations and more. */
const WIDE_OCTETS = 4;

/**
 * Dense convolution for adapters whose workgroups have fast memory of their own. A workgroup takes 32 to 128 invocations,
 * whatever divides the output channels best. Bindings and weights as in `conv2dDirect`.
 */
export function conv2dTiled(spec: ConvSpec): Dispatch {
  const octets = Math.ceil(spec.outChannels / OCTET);
  const OCTETS = Math.ceil(octets / Math.ceil(octets / MAX_OCTETS));
  const COLUMNS = OCTETS < WIDE_OCTETS ? 32 : 16;
  const TILE = COLUMNS * PIXELS;
  return convDispatch('conv2d-tiled', spec, {
    consts: { PIXELS },
    overrides: { COLUMNS, OCTETS, TILE, WORKGROUP: COLUMNS * OCTETS },
    weightBytes: weightBytes(spec),
    workgroups: [Math.ceil((spec.outHeight * spec.outWidth) / TILE), Math.ceil(octets / OCTETS), spec.batch],
  });
}
