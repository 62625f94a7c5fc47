import { type ConvSpec, convBindings, convFlops, convOverrides, convParams } from './conv-spec.ts';
import { blocksOf, type Dispatch, specialize } from './kernel.ts';

/** Output channels that one invocation computes. */
const OCTET = 8;
const PIXELS = 4;
const WORKGROUP = 64;
/** The lane-broadcast variants' tiles: 32 to 40 accumulators are what fits in registers. */
const LANE_PIXELS = 5;
const POINTWISE_PIXELS = 4;

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
  const packed = new Float32Array(Math.ceil(outChannels / OCTET) * inBlocks * taps * OCTET * 4);
  let source = 0;
  for (let out = 0; out < outChannels; out++) {
    for (let channel = 0; channel < inChannels; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        const octet = Math.floor(out / OCTET);
        const matrix = (((octet * inBlocks + (channel >> 2)) * taps + tap) * OCTET) / 4 + ((out >> 2) & 1);
        packed[(matrix * 4 + (channel & 3)) * 4 + (out & 3)] = weights[source++]!;
      }
    }
  }
  return packed;
}

function weightBytes(spec: ConvSpec): number {
  const octets = Math.ceil(spec.outChannels / OCTET);
  return octets * blocksOf(spec.inChannels) * spec.kernel[0] * spec.kernel[1] * OCTET * 16;
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

/** Lanes that share a fetch of weights. */
function lanesOf(subgroupSize: number): number {
  return subgroupSize >= 8 ? 8 : 4;
}

/**
 * Dense convolution that shares weights across a subgroup of fixed size, 4 or more lanes.
 * Bindings as in `conv2d`, same packed weights.
 */
export function conv2dLane(spec: ConvSpec, subgroupSize: number): Dispatch {
  return {
    kernel: 'conv2d-lane',
    source: specialize('conv2d-lane', { LANES: lanesOf(subgroupSize) }),
    constants: { WORKGROUP: subgroupSize, ...convOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, weightBytes(spec)),
    workgroups: grid(spec, LANE_PIXELS, OCTET, subgroupSize),
    flops: convFlops(spec),
  };
}

/** Whether `pointwiseLane` can do a convolution: 1×1, stride 1, no padding, dense. */
export function isPointwise({
  kernel,
  strides,
  pads,
  group,
  inHeight,
  inWidth,
  outHeight,
  outWidth,
}: ConvSpec): boolean {
  const unit = [...kernel, ...strides].every((value) => value === 1) && pads.every((pad) => pad === 0);
  return unit && group === 1 && inHeight === outHeight && inWidth === outWidth;
}

/** Octets of output channels that an invocation of `pointwiseLane` computes: more share its pixels, but idle where none are left. */
function pointwiseOctets(outChannels: number): number {
  const octets = Math.ceil(outChannels / OCTET);
  return octets <= 2 ? 2 : 3;
}

/**
 * `conv2dLane` for `isPointwise` convolutions, in wider tiles. Bindings and weights as there.
 * @param weights whether all images of the batch share them, or each has its own, one behind the other
 */
export function pointwiseLane(
  spec: ConvSpec,
  subgroupSize: number,
  weights: 'shared' | 'of each image' = 'shared',
): Dispatch {
  const bytes = weightBytes(spec);
  const OCTETS = pointwiseOctets(spec.outChannels);
  const own = weights === 'of each image';
  // without a smaller residual, rows need not be told apart
  const flat =
    spec.upsample > 1
      ? spec
      : {
          ...spec,
          ...{ inHeight: 1, inWidth: spec.inHeight * spec.inWidth },
          ...{ outHeight: 1, outWidth: spec.outHeight * spec.outWidth },
        };
  return {
    kernel: 'pointwise-lane',
    source: specialize('pointwise-lane', { LANES: lanesOf(subgroupSize), OCTETS }),
    constants: { WORKGROUP: subgroupSize, ...convOverrides(spec) },
    params: convParams(flat, own ? bytes / 16 : 0),
    bindingBytes: convBindings(spec, own ? spec.batch * bytes : bytes),
    workgroups: grid(flat, POINTWISE_PIXELS, OCTETS * OCTET, subgroupSize),
    flops: convFlops(spec),
  };
}
