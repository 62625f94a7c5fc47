import type { ConvSpec } from './conv-spec.ts';
import { conv2d, conv2dLane, isPointwise, packConvWeights, pointwiseLane } from './conv2d.ts';
import { conv2dGrouped } from './conv2d-grouped.ts';
import { conv2dTiled } from './conv2d-tiled.ts';
import { depthwise, depthwiseRows, packDepthwiseWeights, slidesByRows } from './depthwise.ts';
import { type AdapterTraits, type Dispatch, floatBytes } from './kernel.ts';
import { isWinograd, packWinogradWeights, winograd, winogradBytes } from './winograd.ts';

/** What the launches of a convolution bind; `zeros` are as many as biases, `windows` and `products` are its own. */
export type ConvOperand = 'input' | 'weights' | 'bias' | 'residual' | 'output' | 'zeros' | 'windows' | 'products';

export interface ConvLaunch {
  readonly dispatch: Dispatch;
  /** At bindings 1, 2, …. */
  readonly operands: readonly ConvOperand[];
}

/** How methods want ONNX weights `[out][in / group][kh][kw]`; one name is one order, whatever the method. */
const WEIGHT_ORDERS = {
  octets: (weights, { outChannels, inChannels, kernel }) => packConvWeights(weights, outChannels, inChannels, kernel),
  winograd: (weights, { outChannels, inChannels }) => packWinogradWeights(weights, outChannels, inChannels),
  depthwise: (weights, { outChannels, kernel }) => packDepthwiseWeights(weights, outChannels, kernel),
  plain: (weights) => {
    const padded = new Float32Array(floatBytes(weights.length) / 4);
    padded.set(weights);
    return padded;
  },
} as const satisfies Record<string, (weights: Float32Array, spec: ConvSpec) => Float32Array<ArrayBuffer>>;

export type WeightOrder = keyof typeof WEIGHT_ORDERS;

/** ONNX weights in an order. */
export function packWeights(order: WeightOrder, weights: Float32Array, spec: ConvSpec): Float32Array<ArrayBuffer> {
  return WEIGHT_ORDERS[order](weights, spec);
}

/** One way to compute convolutions. */
interface Method {
  readonly weightOrder: WeightOrder;
  isPossible(spec: ConvSpec, traits: AdapterTraits): boolean;
  launches(spec: ConvSpec, traits: AdapterTraits): readonly ConvLaunch[];
}

/** What every WebGPU device can bind. */
const MAX_BINDING_BYTES = 2 ** 27;

const isDense = ({ group }: ConvSpec) => group === 1;
const isDepthwise = ({ group, inChannels, outChannels }: ConvSpec) => group === inChannels && group === outChannels;
/** Smaller subgroups cannot share a fetch of weights. */
const hasLanes = ({ subgroupSize }: AdapterTraits) => subgroupSize >= 4;
const fitsWinograd = (spec: ConvSpec) => isWinograd(spec) && winogradBytes(spec) <= MAX_BINDING_BYTES;

function single(dispatch: Dispatch): ConvLaunch[] {
  return [{ dispatch, operands: ['input', 'weights', 'bias', 'residual', 'output'] }];
}

function winogradLaunches(spec: ConvSpec, multiply: (windows: ConvSpec) => Dispatch): ConvLaunch[] {
  const { input, product, output } = winograd(spec, multiply);
  return [
    { dispatch: input, operands: ['input', 'windows'] },
    { dispatch: product, operands: ['windows', 'weights', 'zeros', 'zeros', 'products'] },
    { dispatch: output, operands: ['products', 'bias', 'residual', 'output'] },
  ];
}

function lane(spec: ConvSpec, { subgroupSize }: AdapterTraits): Dispatch {
  return isPointwise(spec) ? pointwiseLane(spec, subgroupSize) : conv2dLane(spec, subgroupSize);
}

/** Every method; what each is for stands beside its kernel. */
const METHODS = {
  direct: { weightOrder: 'octets', isPossible: isDense, launches: (spec) => single(conv2d(spec)) },
  tiled: { weightOrder: 'octets', isPossible: isDense, launches: (spec) => single(conv2dTiled(spec)) },
  lane: {
    weightOrder: 'octets',
    isPossible: (spec, traits) => isDense(spec) && hasLanes(traits),
    launches: (spec, traits) => single(lane(spec, traits)),
  },
  'winograd-lane': {
    weightOrder: 'winograd',
    isPossible: (spec, traits) => fitsWinograd(spec) && hasLanes(traits),
    launches: (spec, traits) => winogradLaunches(spec, (windows) => lane(windows, traits)),
  },
  'winograd-tiled': {
    weightOrder: 'winograd',
    isPossible: fitsWinograd,
    launches: (spec) => winogradLaunches(spec, conv2dTiled),
  },
  'depthwise-rows': {
    weightOrder: 'depthwise',
    isPossible: (spec) => !isDense(spec) && isDepthwise(spec) && slidesByRows(spec),
    launches: (spec) => single(depthwiseRows(spec)),
  },
  depthwise: {
    weightOrder: 'depthwise',
    isPossible: (spec) => !isDense(spec) && isDepthwise(spec),
    launches: (spec) => single(depthwise(spec)),
  },
  grouped: {
    weightOrder: 'plain',
    isPossible: (spec) => !isDense(spec),
    launches: (spec) => single(conv2dGrouped(spec)),
  },
} as const satisfies Record<string, Method>;

export type ConvMethodName = keyof typeof METHODS;

/** From so many input and output channels on, Winograd's convolution is faster on software rasterisers. */
const WINOGRAD_CHANNELS = 24;

/** The methods by class of adapter, best first: a convolution takes the first that is possible. */
function preferences({ inChannels, outChannels }: ConvSpec, { software }: AdapterTraits): readonly ConvMethodName[] {
  if (!software) return ['direct', 'depthwise', 'grouped'];
  // they run lanes in lockstep on wide registers, where a load costs more than ten multiply-adds
  const pays = Math.min(inChannels, outChannels) >= WINOGRAD_CHANNELS;
  return [...(pays ? (['winograd-lane'] as const) : []), 'lane', 'direct', 'depthwise-rows', 'depthwise', 'grouped'];
}

/** Which method to take for a shape, by `convKey`. */
export type ConvChoices = ReadonlyMap<string, ConvMethodName>;

/** Names a shape. The size of a batch is no part of it: a picture has the same result alone and in a batch. */
export function convKey(spec: ConvSpec): string {
  return JSON.stringify({ ...spec, batch: 1 });
}

/** Every method that can compute a convolution on such an adapter. */
export function possibleMethods(spec: ConvSpec, traits: AdapterTraits): ConvMethodName[] {
  return (Object.keys(METHODS) as ConvMethodName[]).filter((name) => METHODS[name].isPossible(spec, traits));
}

/** The method for a convolution: the choice for its shape where there is one that is possible, else by class of adapter. */
export function chooseMethod(spec: ConvSpec, traits: AdapterTraits, choices?: ConvChoices): ConvMethodName {
  const possible = possibleMethods(spec, traits);
  const choice = choices?.get(convKey(spec));
  const names = choice === undefined ? preferences(spec, traits) : [choice, ...preferences(spec, traits)];
  return names.find((name) => possible.includes(name))!;
}

/** What a method launches for a convolution, and the order of its weights. */
export function planConv(
  name: ConvMethodName,
  spec: ConvSpec,
  traits: AdapterTraits,
): { readonly launches: readonly ConvLaunch[]; readonly weightOrder: WeightOrder } {
  const { launches, weightOrder }: Method = METHODS[name];
  return { launches: launches(spec, traits), weightOrder };
}
