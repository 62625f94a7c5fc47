import { type ConvSpec, convBindings, convFlops, convOverrides, convParams } from './conv-spec.ts';
import { blocksOf, type Dispatch, specialize } from './kernel.ts';

/** Output channels for which weights are packed together, and the tile of one invocation of `conv2d`. */
const OCTET = 8;
const PIXELS = 4;
const WORKGROUP = 64;
/**
 * Octets of a lane-broadcast tile by the lanes that share a fetch, and speed per octet, measured: more octets share the pixels
 * that are loaded, until sums no longer fit in registers.
 */
const LANE_OCTETS = {
  4: [[1, 1]],
  8: [
    [2, 0.9],
    [3, 1],
  ],
} as const;

/**
 * Weights for `conv2d` and `conv2dLane`: ONNX `[out][in][kh][kw]` → `[out/8][in/4][kh][kw][2][4 in]` of vec4
 * over 4 output channels, missing channels zero: a pair of 4×4 matrices for every tap.
 */
export function packConvWeights(
  weights: Float32Array,
  outChannels: number,
  inChannels: number,
  [kernelHeight, kernelWidth]: readonly [number, number],
): Float32Array<ArrayBuffer> {
  const taps = kernelHeight * kernelWidth;
  const inBlocks = blocksOf(inChannels);
  const packed = new Float32Array(packedLength(outChannels, inChannels) * taps);
  let source = 0;
  for (let out = 0; out < outChannels; out++) {
    for (let channel = 0; channel < inChannels; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        packed[packedPlace(out, channel, inBlocks, tap, taps)] = weights[source++]!;
      }
    }
  }
  return packed;
}

/** Index of a weight in that order. */
export function packedPlace(out: number, channel: number, inBlocks: number, tap = 0, taps = 1): number {
  const octet = Math.floor(out / OCTET);
  const matrix = (((octet * inBlocks + (channel >> 2)) * taps + tap) * OCTET) / 4 + ((out >> 2) & 1);
  return (matrix * 4 + (channel & 3)) * 4 + (out & 3);
}

/** Numbers in the packed weights of a 1×1 convolution. */
export function packedLength(outChannels: number, inChannels: number): number {
  return Math.ceil(outChannels / OCTET) * blocksOf(inChannels) * OCTET * 4;
}

/** Bytes of the packed weights of one image. */
export function weightBytes(spec: ConvSpec): number {
  return packedLength(spec.outChannels, spec.inChannels) * spec.kernel[0] * spec.kernel[1] * 4;
}

/** One invocation a tile of `pixels` × `out` channels. */
function grid(spec: ConvSpec, pixels: number, out: number, workgroup: number): [number, number, number] {
  const tiles = Math.ceil(spec.outWidth / pixels) * spec.outHeight;
  return [Math.ceil(tiles / workgroup), Math.ceil(spec.outChannels / out), spec.batch];
}

/** Dense convolution for any adapter. Bindings: input, weights, bias, residual, output. */
export function conv2d(spec: ConvSpec): Dispatch {
  return {
    kernel: 'conv2d',
    source: specialize('conv2d'),
    constants: { WORKGROUP, ...convOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, weightBytes(spec)),
    workgroups: grid(spec, PIXELS, OCTET, WORKGROUP),
    flops: convFlops(spec),
  };
}

/** What lane-broadcast shaders leave to the host: lanes that share a fetch, and the tile with the least time for all octets. */
function laneConstants(outChannels: number, subgroupSize: number) {
  const LANES = subgroupSize >= 8 ? 8 : 4;
  const octets = Math.ceil(outChannels / OCTET);
  const tiles: readonly (readonly [size: number, speed: number])[] = LANE_OCTETS[LANES];
  const times = tiles.map(([size, speed]) => (Math.ceil(octets / size) * size) / speed);
  const [OCTETS] = tiles[times.indexOf(Math.min(...times))]!;
  return { LANES, PIXELS, OCTETS };
}

/**
 * Dense convolution that shares weights across a subgroup of fixed size, 4 or more lanes.
 * Bindings as in `conv2d`, same packed weights.
 */
export function conv2dLane(spec: ConvSpec, subgroupSize: number): Dispatch {
  return lane('conv2d-lane', spec, subgroupSize);
}

function lane(kernel: 'conv2d-lane' | 'pointwise-lane', spec: ConvSpec, subgroupSize: number): Dispatch {
  const constants = laneConstants(spec.outChannels, subgroupSize);
  const [pixelGroups, channelTiles, batch] = grid(spec, PIXELS, constants.OCTETS * OCTET, subgroupSize);
  return {
    kernel,
    source: specialize(kernel, constants),
    constants: { WORKGROUP: subgroupSize, ...convOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, weightBytes(spec)),
    workgroups: [channelTiles, pixelGroups, batch],
    flops: convFlops(spec),
  };
}

/** Whether `pointwiseLane` can do a convolution: dense, 1×1, stride 1, no padding, no smaller residual. */
export function isPointwise(spec: ConvSpec): boolean {
  const { kernel, strides, pads, group, inHeight, inWidth, outHeight, outWidth, upsample } = spec;
  const unit = [...kernel, ...strides].every((value) => value === 1) && pads.every((pad) => pad === 0);
  return unit && group === 1 && inHeight === outHeight && inWidth === outWidth && upsample <= 1;
}

/** `conv2dLane` for `isPointwise` convolutions. Bindings and weights as there. */
export function pointwiseLane(spec: ConvSpec, subgroupSize: number): Dispatch {
  // rows need not be told apart
  const [inWidth, outWidth] = [spec.inHeight * spec.inWidth, spec.outHeight * spec.outWidth];
  const row: ConvSpec = { ...spec, inHeight: 1, inWidth, outHeight: 1, outWidth };
  return lane('pointwise-lane', row, subgroupSize);
}

/** A launch of `spec` in which each image has weights of its own, one behind the other. */
export function withOwnWeights(dispatch: Dispatch, spec: ConvSpec): Dispatch {
  const bytes = weightBytes(spec);
  return {
    ...dispatch,
    params: convParams(spec, bytes / 16),
    bindingBytes: convBindings(spec, spec.batch * bytes),
  };
}
