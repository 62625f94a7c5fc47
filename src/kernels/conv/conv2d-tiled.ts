import { type Dispatch, specialize } from '../dispatch.ts';
import { OCTET, weightBytes } from './conv2d-direct.ts';
import { type ConvSpec, convBindings, convFlops, convOverrides, convParams } from './spec.ts';

const PIXELS = 4;
/** Octets of a workgroup's tile at most, and from how many on half as many pixels make a workgroup of 64 and more. */
const MAX_OCTETS = 8;
const WIDE_OCTETS = 4;

/**
 * Dense convolution for adapters whose workgroups have fast memory of their own. A workgroup takes 32 to 128 invocations,
 * whatever divides the output channels best. Bindings and weights as in `conv2d`.
 */
export function conv2dTiled(spec: ConvSpec): Dispatch {
  const octets = Math.ceil(spec.outChannels / OCTET);
  const OCTETS = Math.ceil(octets / Math.ceil(octets / MAX_OCTETS));
  const COLUMNS = OCTETS < WIDE_OCTETS ? 32 : 16;
  const TILE = COLUMNS * PIXELS;
  return {
    kernel: 'conv2d-tiled',
    source: specialize('conv2d-tiled', { PIXELS }),
    constants: { COLUMNS, OCTETS, TILE, WORKGROUP: COLUMNS * OCTETS, ...convOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, weightBytes(spec)),
    workgroups: [Math.ceil((spec.outHeight * spec.outWidth) / TILE), Math.ceil(octets / OCTETS), spec.batch],
    flops: convFlops(spec),
  };
}
