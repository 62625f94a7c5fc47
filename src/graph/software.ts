// What plans for software rasterisers are compiled with, which bundles keep in a chunk of its own: see load-target.ts.
import type { AdapterTraits } from '../kernels/dispatch.ts';
import { SOFTWARE_METHODS } from '../kernels/software/methods.ts';
import type { Target } from './target.ts';

/** Launches cost little, and there are no cores that idle: each stays as it is. */
export function softwareTarget(traits: AdapterTraits): Target {
  return { ...traits, ...SOFTWARE_METHODS, fuseLaunches: (graph) => graph, shareLaunches: (steps) => steps };
}
