// What plans for software rasterisers are compiled with, which bundles keep in a chunk of its own: see load-target.ts.
import { type ConvChoices, type ConvTarget, chooseMethod, convKey } from '../kernels/conv/methods.ts';
import { type ConvSpec, convFlops } from '../kernels/conv/spec.ts';
import type { AdapterTraits } from '../kernels/dispatch.ts';
import { SOFTWARE_METHODS } from '../kernels/software/methods.ts';
import { dimsOf, type Graph } from './ir.ts';
import { specOf } from './operators/conv.ts';
import type { Target } from './target.ts';

/**
 * The part of a network's multiply-adds from which on Winograd's convolution pays on Mesa's adapter, which takes a second to compile its
 * kernels, a quarter of all that SCRFD 500M would have it compile.
 */
const WINOGRAD_SHARE = 0.5;

function chooseWays(graph: Graph, target: ConvTarget): ConvChoices {
  // SwiftShader, whose subgroups have 4 lanes, compiles them in 0.05 s
  if (target.subgroupSize < 8) return new Map();
  const specs = graph.nodes.flatMap((node) =>
    node.op === 'Conv' ? [specOf(node, (value) => dimsOf(graph, value))] : [],
  );
  const { 'winograd-lane': _, ...methods } = target.methods;
  const winograds = specs.filter((spec) => chooseMethod(spec, target) === 'winograd-lane');
  if (sumFlops(winograds) >= WINOGRAD_SHARE * sumFlops(specs)) return new Map();
  return new Map(winograds.map((spec) => [convKey(spec), chooseMethod(spec, { ...target, methods })]));
}

function sumFlops(specs: readonly ConvSpec[]): number {
  return specs.reduce((sum, spec) => sum + convFlops(spec), 0);
}

/** Launches cost little, and there are no cores that idle: each stays as it is. */
export function softwareTarget(traits: AdapterTraits): Target {
  return {
    ...traits,
    ...SOFTWARE_METHODS,
    chooseWays,
    fuseLaunches: (graph) => graph,
    shareLaunches: (steps) => steps,
  };
}
