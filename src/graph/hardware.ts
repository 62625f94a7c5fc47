// What plans for hardware are compiled with, which bundles keep in a chunk of its own: see load-target.ts.
import type { AdapterTraits } from '../kernels/dispatch.ts';
import { HARDWARE_METHODS } from '../kernels/hardware/methods.ts';
import type { Graph } from './ir.ts';
import { fusePool } from './passes/fuse-pool.ts';
import { fuseSeparable } from './passes/fuse-separable.ts';
import { shareLaunches } from './share-launches.ts';
import type { Target } from './target.ts';
import { verify } from './verify.ts';

export { HARDWARE_OPERATORS } from './operators/hardware/index.ts';

function fuseLaunches(graph: Graph, traits: AdapterTraits): Graph {
  const pooled = verify(fusePool(graph, traits), fusePool.name);
  return verify(fuseSeparable(pooled, traits), fuseSeparable.name);
}

export function hardwareTarget(traits: AdapterTraits): Target {
  return { ...traits, ...HARDWARE_METHODS, chooseWays: () => new Map(), fuseLaunches, shareLaunches };
}
