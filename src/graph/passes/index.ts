import type { Graph, Pass } from '../ir.ts';
import { verify } from '../verify.ts';
import { dropDead } from './drop-dead.ts';
import { dropNoops } from './drop-noops.ts';
import { foldAffine } from './fold-affine.ts';
import { foldBatchNorm } from './fold-batchnorm.ts';
import { fuseActivation } from './fuse-activation.ts';
import { fuseResidual } from './fuse-residual.ts';
import { matchGroupNorm } from './match-groupnorm.ts';
import { mergeConvs } from './merge-convs.ts';

/** In order: constants fold into weights first, then residuals join, then activations close a node. */
const FUSIONS: readonly Pass[] = [matchGroupNorm, foldBatchNorm, foldAffine, fuseResidual, fuseActivation];

/** Those of networks with operators of their own: see load-operators.ts. Before the others. */
let generalFusions: readonly Pass[] = [];

export function addFusions(passes: readonly Pass[]): void {
  generalFusions = passes;
}

/** All of them, of what is left when the dead and the no-ops are gone. */
function fusions(): readonly Pass[] {
  return [dropDead, dropNoops, ...generalFusions, ...FUSIONS];
}

function apply(graph: Graph, passes: readonly Pass[]): Graph {
  return passes.reduce((current, pass) => verify(pass(current), pass.name), graph);
}

/** A graph with its own outputs, ready to be lowered; `fuse: false` keeps one node for each of the file's. */
export function optimize(graph: Graph, fuse: boolean): Graph {
  return apply(verify(graph, 'build'), fuse ? [...fusions(), dropDead] : [dropDead]);
}

/** A graph whose outputs `replaceOutputs` puts in the place of the file's, once nodes are fused; the rest is cleared away. */
export function optimizeWith<T extends { readonly graph: Graph }>(
  graph: Graph,
  replaceOutputs: (fused: Graph) => T,
): T {
  const replaced = replaceOutputs(apply(verify(graph, 'build'), fusions()));
  const verified = verify(replaced.graph, replaceOutputs.name);
  return { ...replaced, graph: apply(verified, [dropDead, mergeConvs, dropDead]) };
}
