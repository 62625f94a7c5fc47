import { type AdapterTraits, type Precision, withHalfImages } from '../dispatch.ts';
import { conv2dGrouped } from './conv2d-grouped.ts';
import { depthwise } from './depthwise.ts';
import { type ConvLaunch, type ConvMethodName, type Method, single } from './method.ts';
import { alone, type ConvSpec, isDense, isDepthwise } from './spec.ts';
import { byChannels, plain, type WeightOrder } from './weight-orders.ts';

/** Those for any adapter; classes have more, in hardware/methods.ts and software/methods.ts. What each is for stands beside its kernel. */
const METHODS = {
  depthwise: {
    weightOrder: byChannels,
    isPossible: (spec) => !isDense(spec) && isDepthwise(spec),
    launches: (spec) => single(depthwise(spec)),
  },
  grouped: {
    weightOrder: plain,
    isPossible: (spec) => !isDense(spec),
    launches: (spec) => single(conv2dGrouped(spec)),
  },
} as const satisfies Partial<Record<ConvMethodName, Method>>;

/** What a class of adapters adds. */
export interface ConvMethods {
  readonly methods: Readonly<Partial<Record<ConvMethodName, Method>>>;
  /** Those that may be fastest, best first: a convolution takes the first that is possible. */
  preferences(spec: ConvSpec, traits: AdapterTraits): readonly ConvMethodName[];
}

/** An adapter, and the methods that are loaded for it. */
export interface ConvTarget extends AdapterTraits, ConvMethods {}

/** All that are loaded for an adapter. */
export function methodsFor({ methods }: ConvTarget): ConvMethods['methods'] {
  return { ...methods, ...METHODS };
}

/** A method, and of one that has tiles which one, `split 4,1,16,1,16,9`; the model's choice where none is named. */
export type ConvWay = ConvMethodName | `${ConvMethodName} ${string}`;

/** Which way to take for a shape, by `convKey`. */
export type ConvChoices = ReadonlyMap<string, ConvWay>;

/**
 * Names a shape. The size of a batch is no part of it: an image has the same result alone and in a batch, but for batches so
 * large that no device binds Winograd's buffers for them.
 */
export function convKey(spec: ConvSpec): string {
  return JSON.stringify(alone(spec));
}

/** Every method that is loaded and can compute a convolution on such an adapter. */
export function possibleMethods(spec: ConvSpec, target: ConvTarget): ConvMethodName[] {
  const methods = methodsFor(target);
  return (Object.keys(methods) as ConvMethodName[]).filter((name) => methods[name]!.isPossible(spec, target));
}

const nameOf = (way: ConvWay) => way.split(' ')[0] as ConvMethodName;

/** The way to compute a convolution: the choice for its shape where there is one that is possible, else by class of adapter. */
export function chooseMethod(spec: ConvSpec, target: ConvTarget, choices?: ConvChoices): ConvWay {
  const possible = possibleMethods(spec, target);
  const choice = choices?.get(convKey(spec));
  const usual = target.preferences(spec, target);
  const ways = choice === undefined ? usual : [choice, ...usual];
  return ways.find((way) => possible.includes(nameOf(way)))!;
}

/** What a method launches for a convolution, and the order of its weights. */
export interface ConvPlan {
  readonly launches: readonly ConvLaunch[];
  readonly weightOrder: WeightOrder;
}

/** A tile that is not, or no longer, among a method's stands for the model's choice. */
export function planConv(way: ConvWay, spec: ConvSpec, target: ConvTarget): ConvPlan {
  const { launches, weightOrder, tiles = () => [undefined] } = methodsFor(target)[nameOf(way)]!;
  const all = tiles(alone(spec), target);
  const tile = all.find((each) => way.endsWith(` ${describeTile(each)}`)) ?? all[0];
  return { launches: launches(spec, target, tile), weightOrder };
}

/** What stands for a tile in the name of a way. */
export function describeTile(tile: unknown): string {
  return Object.values(tile ?? {}).join();
}

/** A launch with its images as a network of that precision has them between its layers. */
export function withPrecision(launch: ConvLaunch, precision: Precision): ConvLaunch {
  if (precision === 'f32') return launch;
  const { dispatch, operands } = launch;
  const inputs = operands.some((operand) => operand === 'input' || operand === 'residual');
  return { ...launch, dispatch: withHalfImages(dispatch, { inputs, output: operands.includes('output') }) };
}
