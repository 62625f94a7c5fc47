import {
  type AdapterTraits,
  type ByteRange,
  type Dispatch,
  MAX_BINDING_BYTES,
  type Precision,
  withHalfImages,
} from '../dispatch.ts';
import { floatBytes, padWithZeros } from '../nc4hw4.ts';
import { conv2dDirect, packConvWeights } from './conv2d-direct.ts';
import { conv2dGrouped } from './conv2d-grouped.ts';
import { convLane, convLaneUniform, countUniformParts, UNIFORM_BYTES } from './conv2d-lane.ts';
import { conv2dSplit } from './conv2d-split.ts';
import {
  CPU_MICROSECONDS,
  type DepthwiseTile,
  depthwiseMicroseconds,
  likelyDepthwiseTiles,
  likelySplitTiles,
  ratesOf,
  resizedTiles,
  type SplitTile,
  splitMicroseconds,
} from './cost.ts';
import { depthwise, depthwiseColumns, depthwiseRows, packDepthwiseWeights, slidesByRows } from './depthwise.ts';
import { likelySeparableTile, type SeparableSpec, separableMicroseconds } from './separable-cost.ts';
import { alone, type ConvSpec, convFlops, isPointwise } from './spec.ts';
import { isWinograd, packWinogradWeights, winograd, winogradBytes, withOwnWeights } from './winograd.ts';

/** What the launches of a convolution bind; `zeros` are as many as biases, `windows` and `products` are its own. */
export type ConvOperand = 'input' | 'weights' | 'bias' | 'residual' | 'output' | 'zeros' | 'windows' | 'products';

export interface ConvLaunch {
  readonly dispatch: Dispatch;
  /** What is bound at bindings 1, 2, …. */
  readonly operands: readonly ConvOperand[];
  /** The part of the weights that it binds; all of them unless given. */
  readonly weightsRange?: ByteRange;
  /** The same launch by workgroups of so many invocations, where that is to be had. */
  readonly resize?: (invocations: number) => Dispatch | undefined;
}

type PackWeights = (weights: Float32Array, spec: ConvSpec) => Float32Array<ArrayBuffer>;

const packOctets: PackWeights = (weights, { outChannels, inChannels, kernel }) =>
  packConvWeights(weights, outChannels, inChannels, kernel);

/** Padded, so that a binding of `UNIFORM_BYTES` may begin at any weight. */
function withWholeRanges(weights: Float32Array): Float32Array<ArrayBuffer> {
  return padWithZeros(weights, weights.length + UNIFORM_BYTES / 4);
}

/** How methods want ONNX weights `[out][in / group][kh][kw]`; one name is one order, whatever the method. */
const WEIGHT_ORDERS = {
  octets: packOctets,
  winograd: (weights, { outChannels, inChannels }) => packWinogradWeights(weights, outChannels, inChannels),
  'octets-uniform': (weights, spec) => withWholeRanges(packOctets(weights, spec)),
  depthwise: (weights, { outChannels, kernel }) => packDepthwiseWeights(weights, outChannels, kernel),
  plain: (weights) => padWithZeros(weights, floatBytes(weights.length) / 4),
} as const satisfies Record<string, PackWeights>;

type WeightOrder = keyof typeof WEIGHT_ORDERS;

/** ONNX weights in an order. */
export function packWeights(order: WeightOrder, weights: Float32Array, spec: ConvSpec): Float32Array<ArrayBuffer> {
  return WEIGHT_ORDERS[order](weights, spec);
}

/** One way to compute convolutions, or several that differ by how they divide them: their tiles. */
interface Method<Tile = unknown> {
  readonly weightOrder: WeightOrder;
  isPossible(spec: ConvSpec, traits: AdapterTraits): boolean;
  /** The tiles that may be fastest on such an adapter, the model's choice first; of an image alone, whatever the batch. */
  tiles?(spec: ConvSpec, traits: AdapterTraits): readonly Tile[];
  launches(spec: ConvSpec, traits: AdapterTraits, tile: Tile): readonly ConvLaunch[];
}

const isDense = ({ group }: ConvSpec) => group === 1;
const isDepthwise = ({ group, inChannels, outChannels }: ConvSpec) => group === inChannels && group === outChannels;
/** Smaller subgroups cannot share a fetch of weights. */
const hasLanes = ({ subgroupSize }: AdapterTraits) => subgroupSize >= 4;
const fitsWinograd = (spec: ConvSpec) => isWinograd(spec) && winogradBytes(spec) <= MAX_BINDING_BYTES;

const split: Method<SplitTile> = {
  weightOrder: 'octets',
  isPossible: isDense,
  tiles(spec, traits) {
    if (!traits.software) return likelySplitTiles(spec, ratesOf(traits));
    // little code: software rasterisers take seconds to compile what waits for other invocations
    return [{ pixels: 2, blocks: 1, lanes: 8, slices: 1, split: 2, unroll: spec.kernel[0] }];
  },
  launches(spec, traits, tile) {
    const rates = ratesOf(traits);
    const time = (each: SplitTile) => splitMicroseconds(alone(spec), each, rates);
    const launch = (each: SplitTile) => ({ ...conv2dSplit(spec, each), microseconds: time(each) });
    return single(launch(tile), (invocations) => {
      const [resized] = likelySplitTiles(alone(spec), rates, resizedTiles(tile, invocations));
      // it saves a launch, and must not cost more
      const pays = resized && time(resized) <= time(tile) + rates.launchMicroseconds + CPU_MICROSECONDS;
      return pays ? launch(resized) : undefined;
    });
  },
};

const byColumns: Method<DepthwiseTile> = {
  weightOrder: 'depthwise',
  // NVIDIA's compiler (driver 580.159) adds wrong residuals to all rows but an invocation's first
  isPossible: (spec) => !isDense(spec) && isDepthwise(spec) && spec.upsample === 0,
  tiles: (spec, traits) => likelyDepthwiseTiles(spec, ratesOf(traits)),
  launches(spec, traits, tile) {
    const microseconds = depthwiseMicroseconds(alone(spec), tile, ratesOf(traits));
    return single({ ...depthwiseColumns(spec, tile), microseconds });
  },
};

const OPERANDS: readonly ConvOperand[] = ['input', 'weights', 'bias', 'residual', 'output'];

function single(dispatch: Dispatch, resize?: ConvLaunch['resize']): ConvLaunch[] {
  return [{ dispatch, operands: OPERANDS, ...(resize && { resize }) }];
}

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

/** A launch with its images as a network of that precision has them between its layers. */
export function withPrecision(launch: ConvLaunch, precision: Precision): ConvLaunch {
  if (precision === 'f32') return launch;
  const { dispatch, operands } = launch;
  const inputs = operands.some((operand) => operand === 'input' || operand === 'residual');
  return { ...launch, dispatch: withHalfImages(dispatch, { inputs, output: operands.includes('output') }) };
}

/** Every method; what each is for stands beside its kernel. */
const METHODS = {
  direct: { weightOrder: 'octets', isPossible: isDense, launches: (spec) => single(conv2dDirect(spec)) },
  split,
  lane: {
    weightOrder: 'octets',
    isPossible: (spec, traits) => isDense(spec) && hasLanes(traits),
    launches: (spec, { subgroupSize }) => single(convLane(spec, subgroupSize)),
  },
  'lane-uniform': {
    weightOrder: 'octets-uniform',
    isPossible: (spec, traits) => isDense(spec) && hasLanes(traits) && countUniformParts(spec, traits.subgroupSize) > 0,
    launches: (spec, { subgroupSize }) =>
      convLaneUniform(spec, subgroupSize).map((part) => ({ ...part, operands: OPERANDS })),
  },
  'winograd-lane': {
    weightOrder: 'winograd',
    isPossible: (spec, traits) => fitsWinograd(spec) && hasLanes(traits),
    launches: (spec, { subgroupSize }) => aroundProduct(spec, (product) => convLane(product, subgroupSize)),
  },
  'depthwise-columns': byColumns,
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

/** A method, and of one that has tiles which one, `split 4,1,16,1,16,9`; the model's choice where none is named. */
export type ConvWay = ConvMethodName | `${ConvMethodName} ${string}`;

/** Input and output channels from which on Winograd's convolution is faster on software rasterisers. */
const WINOGRAD_CHANNELS = 24;
/** Launches of a convolution at most: for more, software rasterisers take longer to launch than uniforms save. */
const MAX_PARTS = 3;

/** The methods by class of adapter, best first: a convolution takes the first that is possible. */
function preferences(spec: ConvSpec, { software, subgroupSize }: AdapterTraits): readonly ConvMethodName[] {
  if (!software) return ['split', 'depthwise-columns', 'depthwise', 'grouped'];
  // they run lanes in lockstep on wide registers, where a load costs more than ten multiply-adds
  const winograds =
    Math.min(spec.inChannels, spec.outChannels) >= WINOGRAD_CHANNELS ? (['winograd-lane'] as const) : [];
  // lavapipe's subgroups; to SwiftShader, whose have 4 lanes, the two kinds of buffers are one
  const pays = subgroupSize >= 8 && spec.group === 1 && countUniformParts(spec, subgroupSize) <= MAX_PARTS;
  const uniforms = pays ? (['lane-uniform'] as const) : [];
  return [...winograds, ...uniforms, 'lane', 'direct', 'depthwise-rows', 'depthwise', 'grouped'];
}

/** Whether a pool and the pointwise convolution behind it are better one convolution of the pool's windows, by the model. */
export function poolPays(pointwise: ConvSpec, merged: ConvSpec, traits: AdapterTraits): boolean {
  const rates = ratesOf(traits);
  const time = (spec: ConvSpec) => splitMicroseconds(spec, likelySplitTiles(spec, rates)[0]!, rates);
  return time(merged) <= time(pointwise) + rates.launchMicroseconds + CPU_MICROSECONDS;
}

/** Whether a depthwise convolution and the pointwise one that reads it are better one launch, by the model: on hardware alone. */
export function separablePays(spec: SeparableSpec, traits: AdapterTraits): boolean {
  const { depthwise, pointwise } = spec;
  if (traits.software || !isDepthwise(depthwise) || isDense(depthwise)) return false;
  if (depthwise.upsample > 0 || depthwise.activation.kind === 'sigmoid') return false;
  if (!isPointwise(pointwise) || !isDense(pointwise) || pointwise.strides.some((stride) => stride > 1)) return false;
  const rates = ratesOf(traits);
  const tile = likelySeparableTile(spec, rates);
  if (!tile) return false;
  const [first] = likelyDepthwiseTiles(depthwise, rates);
  const [second] = likelySplitTiles(pointwise, rates);
  const apart = depthwiseMicroseconds(depthwise, first!, rates) + splitMicroseconds(pointwise, second!, rates);
  return separableMicroseconds(spec, tile, rates) <= apart + CPU_MICROSECONDS;
}

/** Which way to take for a shape, by `convKey`. */
export type ConvChoices = ReadonlyMap<string, ConvWay>;

/**
 * Names a shape. The size of a batch is no part of it: an image has the same result alone and in a batch, but for batches so
 * large that no device binds Winograd's buffers for them.
 */
export function convKey(spec: ConvSpec): string {
  return JSON.stringify(alone(spec));
}

/** Every method that can compute a convolution on such an adapter. */
export function possibleMethods(spec: ConvSpec, traits: AdapterTraits): ConvMethodName[] {
  return (Object.keys(METHODS) as ConvMethodName[]).filter((name) => METHODS[name].isPossible(spec, traits));
}

const nameOf = (way: ConvWay) => way.split(' ')[0] as ConvMethodName;

/** The way to compute a convolution: the choice for its shape where there is one that is possible, else by class of adapter. */
export function chooseMethod(spec: ConvSpec, traits: AdapterTraits, choices?: ConvChoices): ConvWay {
  const possible = possibleMethods(spec, traits);
  const choice = choices?.get(convKey(spec));
  const ways = choice === undefined ? preferences(spec, traits) : [choice, ...preferences(spec, traits)];
  return ways.find((way) => possible.includes(nameOf(way)))!;
}

/** The ways worth timing on such an adapter, besides the one that is chosen unasked. */
export function otherWays(spec: ConvSpec, traits: AdapterTraits): ConvWay[] {
  const usual = chooseMethod(spec, traits) as ConvMethodName;
  const { tiles }: Method = METHODS[usual];
  if (tiles)
    return tiles(alone(spec), traits)
      .slice(1)
      .map((tile) => `${usual} ${describeTile(tile)}` as const);
  const ways = traits.software ? possibleMethods(spec, traits) : preferences(spec, traits);
  return ways.filter((name) => name !== usual && METHODS[name].isPossible(spec, traits) && !('tiles' in METHODS[name]));
}

/** What a method launches for a convolution, and the order of its weights. */
export interface ConvPlan {
  readonly launches: readonly ConvLaunch[];
  readonly weightOrder: WeightOrder;
}

/** A tile that is not, or no longer, among a method's stands for the model's choice. */
export function planConv(way: ConvWay, spec: ConvSpec, traits: AdapterTraits): ConvPlan {
  const { launches, weightOrder, tiles = () => [undefined] }: Method = METHODS[nameOf(way)];
  const all = tiles(alone(spec), traits);
  const tile = all.find((each) => way.endsWith(` ${describeTile(each)}`)) ?? all[0];
  return { launches: launches(spec, traits, tile), weightOrder };
}

function describeTile(tile: unknown): string {
  return Object.values(tile ?? {}).join();
}
