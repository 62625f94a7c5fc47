import { OCTET, weightBytes } from '../conv/octets.ts';
import { type ConvSpec, convLaunch } from '../conv/spec.ts';
import type { Dispatch } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';

/** Pixels of one invocation of `conv2dDirect`. */
const PIXELS = 4;
const WORKGROUP = 64;

/** Workgroups where one invocation computes a tile of `pixels` × `out` channels. */
export function convGrid(spec: ConvSpec, pixels: number, out: number, workgroup: number): [number, number, number] {
  const tiles = Math.ceil(spec.outWidth / pixels) * spec.outHeight;
  return [Math.ceil(tiles / workgroup), Math.ceil(spec.outChannels / out), spec.batch];
}

/** Dense convolution for any adapter. Bindings: input, weights, bias, residual, output. */
export function conv2dDirect(spec: ConvSpec): Dispatch {
  const launch = convLaunch(spec, {
    overrides: { WORKGROUP },
    weightBytes: weightBytes(spec),
    workgroups: convGrid(spec, PIXELS, OCTET, WORKGROUP),
  });
  return dispatch('conv2d-direct', launch);
}
