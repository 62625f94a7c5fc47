import type { ConvChoices, ConvTarget } from '../kernels/conv/methods.ts';
import type { AdapterTraits } from '../kernels/dispatch.ts';
import type { Graph } from './ir.ts';
import type { ConstantData } from './plan.ts';
import type { DraftStep } from './share-launches.ts';

/** What plans are compiled for: an adapter, with the ways to compute that suit its class. */
export interface Target extends ConvTarget {
  /** Ways that suit a network, where they are others than those that suit each of its convolutions by itself. */
  chooseWays(graph: Graph, target: ConvTarget): ConvChoices;
  /** A graph with fewer launches, where the adapter has kernels for that. */
  fuseLaunches(graph: Graph, traits: AdapterTraits): Graph;
  /** Steps that do not wait for each other as one, where that pays. Adds the constants that they share. */
  shareLaunches(
    steps: readonly DraftStep[],
    constants: Map<string, ConstantData>,
    traits: AdapterTraits,
  ): readonly DraftStep[];
}
