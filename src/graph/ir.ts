import type { Dims, FloatTensor } from '../common/tensor.ts';
import type { Node } from './operators/index.ts';

/** A network for one input size: topologically ordered nodes over named values of known shape. */
export interface Graph {
  /** The run-time input. */
  readonly input: string;
  /** Further ones, of networks that have several. */
  readonly moreInputs?: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Of every value, the input and constants included. */
  readonly dims: ReadonlyMap<string, Dims>;
  readonly constants: ReadonlyMap<string, FloatTensor>;
  /** Whether a shape that the file bakes for one image was taken for each image of the batch. */
  readonly spreadBatch?: boolean;
}

/** One rewrite. Never changes the graph it is given. */
export type Pass = (graph: Graph) => Graph;

/** All that is known at run time alone. */
export function inputsOf({ input, moreInputs = [] }: Pick<Graph, 'input' | 'moreInputs'>): string[] {
  return [input, ...moreInputs];
}

export function dimsOf(graph: Pick<Graph, 'dims'>, value: string): Dims {
  const dims = graph.dims.get(value);
  if (!dims) throw new Error(`value "${value}" has no shape`);
  return dims;
}

export function constantOf(graph: Pick<Graph, 'constants'>, value: string): FloatTensor {
  const constant = graph.constants.get(value);
  if (!constant) throw new Error(`value "${value}" is not a constant`);
  return constant;
}

/** How often each value is read, graph outputs counted. */
export function countUses(graph: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}

/** How many nodes follow one after the other up to each value that is computed. */
export function depthsOf(graph: Graph): Map<string, number> {
  const depths = new Map<string, number>();
  for (const { inputs, output } of graph.nodes) {
    depths.set(output, 1 + Math.max(0, ...inputs.map((input) => depths.get(input) ?? 0)));
  }
  return depths;
}
