import type { AdapterTraits, ByteRange, Dispatch } from '../dispatch.ts';
import type { ConvSpec } from './spec.ts';
import type { WeightOrder } from './weight-orders.ts';

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

/** One way to compute convolutions, or several that differ by how they divide them: their tiles. */
export interface Method<Tile = unknown> {
  readonly weightOrder: WeightOrder;
  isPossible(spec: ConvSpec, traits: AdapterTraits): boolean;
  /** The tiles that may be fastest on such an adapter, the model's choice first; of an image alone, whatever the batch. */
  tiles?(spec: ConvSpec, traits: AdapterTraits): readonly Tile[];
  launches(spec: ConvSpec, traits: AdapterTraits, tile: Tile): readonly ConvLaunch[];
}

/** Names of the methods: of any adapter, of hardware, of software rasterisers. */
export type ConvMethodName =
  | ('depthwise' | 'grouped')
  | ('split' | 'depthwise-columns')
  | ('direct' | 'lane' | 'lane-uniform' | 'winograd-lane' | 'depthwise-rows');

/** What a convolution in one launch binds. */
export const OPERANDS: readonly ConvOperand[] = ['input', 'weights', 'bias', 'residual', 'output'];

/** A convolution in one launch. */
export function single(dispatch: Dispatch, resize?: ConvLaunch['resize']): ConvLaunch[] {
  return [{ dispatch, operands: OPERANDS, ...(resize && { resize }) }];
}
