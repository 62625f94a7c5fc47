import { type Graph, inputsOf } from '../ir.ts';
import { constantNames } from '../operators/index.ts';

/** Drops nodes and constants that no output depends on. */
export function dropDead(graph: Graph): Graph {
  const live = new Set(graph.outputs);
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!live.has(node.output)) return false;
    for (const name of [...node.inputs, ...constantNames(node)]) live.add(name);
    return true;
  });
  for (const input of inputsOf(graph)) live.add(input);
  return {
    ...graph,
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => live.has(name))),
    dims: new Map([...graph.dims].filter(([name]) => live.has(name))),
  };
}
