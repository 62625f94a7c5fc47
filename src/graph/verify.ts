import { formatDims, sameDims } from '../common/tensor.ts';
import { dimsOf, type Graph, inputsOf } from './ir.ts';
import { constantNames, inferDims } from './operators/index.ts';

/**
 * Checks that every value is defined once and before its use, that every shape is what its node implies, and that
 * the outputs exist. A failure is a bug in a pass, not in the model.
 */
export function verify(graph: Graph, stage: string): Graph {
  const fail = (message: string): never => {
    throw new Error(`graph is broken after ${stage}: ${message}`);
  };
  const defined = new Set<string>([...inputsOf(graph), ...graph.constants.keys()]);
  for (const input of inputsOf(graph)) if (graph.constants.has(input)) fail(`input "${input}" is a constant`);
  for (const [name, constant] of graph.constants) {
    if (!sameDims(constant.dims, dimsOf(graph, name))) fail(`constant "${name}" has two shapes`);
  }
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...constantNames(node)]) {
      if (!defined.has(name)) fail(`${node.name} reads "${name}" before it is defined`);
    }
    for (const name of constantNames(node)) {
      if (!graph.constants.has(name)) fail(`${node.name}: "${name}" is not a constant`);
    }
    if (defined.has(node.output)) fail(`${node.name} defines "${node.output}" again`);
    defined.add(node.output);
    const inferred = inferDims(node, (name) => dimsOf(graph, name));
    const recorded = dimsOf(graph, node.output);
    if (!sameDims(inferred, recorded)) {
      fail(`${node.name}: "${node.output}" is recorded as ${formatDims(recorded)}, implied ${formatDims(inferred)}`);
    }
    if (node.op === 'Conv' && node.residualUpsample > 0) {
      const out = dimsOf(graph, node.output);
      const s = node.residualUpsample;
      const expected = formatDims([out[0]!, out[1]!, out[2]! / s, out[3]! / s]);
      const residual = node.inputs[1];
      const got = residual === undefined ? 'nothing' : formatDims(dimsOf(graph, residual));
      if (got !== expected) fail(`${node.name}: residual expects ${expected}, got ${got}`);
    }
  }
  for (const name of graph.outputs) {
    if (!defined.has(name)) fail(`output "${name}" is not computed`);
  }
  return graph;
}
