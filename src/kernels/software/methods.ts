import { type ConvLaunch, OPERANDS, single } from '../conv/method.ts';
import type { ConvMethods } from '../conv/methods.ts';
import { type ConvSpec, convFlops, isDense, isDepthwise, isPointwise } from '../conv/spec.ts';
import { byChannels, octets, type WeightOrder } from '../conv/weight-orders.ts';
import { type AdapterTraits, type Dispatch, MAX_BINDING_BYTES } from '../dispatch.ts';
import { padWithZeros } from '../nc4hw4.ts';
import { conv2dDirect } from './conv2d-direct.ts';
import { convLane, convLaneUniform, countUniformParts, UNIFORM_BYTES } from './conv2d-lane.ts';
import { depthwiseRows, slidesByRows } from './depthwise-rows.ts';
import { isWinograd, packWinogradWeights, winograd, winogradBytes, withOwnWeights } from './winograd.ts';

/** Padded, so that a binding of `UNIFORM_BYTES` may begin at any weight. */
const octetsUniform: WeightOrder = {
  name: 'octets-uniform',
  pack(weights, spec) {
    const packed = octets.pack(weights, spec);
    return padWithZeros(packed, packed.length + UNIFORM_BYTES / 4);
  },
};

const byPositions: WeightOrder = {
  name: 'winograd',
  pack: (weights, { outChannels, inChannels }) => packWinogradWeights(weights, outChannels, inChannels),
};

/** Smaller subgroups cannot share a fetch of weights. */
const hasLanes = ({ subgroupSize }: AdapterTraits) => subgroupSize >= 4;
const fitsWinograd = (spec: ConvSpec) => isWinograd(spec) && winogradBytes(spec) <= MAX_BINDING_BYTES;

/** @param multiply the product's launch, were its weights one image's */
function aroundProduct(spec: ConvSpec, multiply: (product: ConvSpec) => Dispatch): ConvLaunch[] {
  const { input, product, output } = winograd(spec);
  // multiplications as the convolution is defined, not as many as there are
  const dispatch = { ...withOwnWeights(multiply(product), product), flops: convFlops(spec) };
  return [
    { dispatch: input, operands: ['input', 'windows'] },
    { dispatch, operands: ['windows', 'weights', 'zeros', 'zeros', 'products'] },
    { dispatch: output, operands: ['products', 'bias', 'residual', 'output'] },
  ];
}

/** Input and output channels from which on Winograd's convolution is faster on software rasterisers. */
const WINOGRAD_CHANNELS = 24;
/**
 * Launches of a convolution at most: for more, software rasterisers take longer to launch than uniforms save. Those of windows
 * hold narrower tiles than one launch would, and load more.
 */
const maxParts = (spec: ConvSpec) => (isPointwise(spec) ? 9 : 3);

/** The methods for software rasterisers, which run lanes in lockstep on wide registers, where a load costs more than ten multiply-adds. */
export const SOFTWARE_METHODS: ConvMethods = {
  methods: {
    direct: { weightOrder: octets, isPossible: isDense, launches: (spec) => single(conv2dDirect(spec)) },
    lane: {
      weightOrder: octets,
      isPossible: (spec, traits) => isDense(spec) && hasLanes(traits),
      launches: (spec, { subgroupSize }) => single(convLane(spec, subgroupSize)),
    },
    'lane-uniform': {
      weightOrder: octetsUniform,
      isPossible: (spec, traits) =>
        isDense(spec) && hasLanes(traits) && countUniformParts(spec, traits.subgroupSize) > 0,
      launches: (spec, { subgroupSize }) =>
        convLaneUniform(spec, subgroupSize).map((part) => ({ ...part, operands: OPERANDS })),
    },
    'winograd-lane': {
      weightOrder: byPositions,
      isPossible: (spec, traits) => fitsWinograd(spec) && hasLanes(traits),
      launches: (spec, { subgroupSize }) => aroundProduct(spec, (product) => convLane(product, subgroupSize)),
    },
    'depthwise-rows': {
      weightOrder: byChannels,
      isPossible: (spec) => !isDense(spec) && isDepthwise(spec) && slidesByRows(spec),
      launches: (spec) => single(depthwiseRows(spec)),
    },
  },
  preferences(spec, traits) {
    if (!isDense(spec)) return isDepthwise(spec) ? ['depthwise-rows', 'depthwise'] : ['grouped'];
    if (!hasLanes(traits)) return ['direct'];
    const winograds =
      Math.min(spec.inChannels, spec.outChannels) >= WINOGRAD_CHANNELS ? (['winograd-lane'] as const) : [];
    const { subgroupSize } = traits;
    // lavapipe's subgroups; to SwiftShader, whose have 4 lanes, the two kinds of buffers are one
    const pays = subgroupSize >= 8 && spec.group === 1 && countUniformParts(spec, subgroupSize) <= maxParts(spec);
    return [...winograds, ...(pays ? (['lane-uniform'] as const) : []), 'lane'];
  },
};
