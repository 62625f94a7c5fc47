import { ModelError } from '../../common/errors.ts';
import type { Dims, FloatTensor } from '../../common/tensor.ts';
import { countUses, type Graph } from '../ir.ts';
import type { Node } from '../operators/index.ts';

/** A node that does its own work and that of the producers it replaces. */
export interface Absorbed {
  readonly node: Node;
  readonly replaces: readonly Node[];
  /** Constants that the new node reads. */
  readonly constants?: Readonly<Record<string, FloatTensor>>;
}

/** A name for a constant that a pass derives for the node computing `output`; no exporter writes such names. */
export function derivedName(output: string, what: string): string {
  return `${output}:${what}`;
}

/** The node that computes a value, if nothing else reads that value. */
export type SoleProducer = (value: string) => Node | undefined;

/**
 * Walks the graph in order and lets each node take over producers that only it reads. The new node stands where the
 * old consumer stood, so that all it reads is defined by then; it can itself be absorbed further on.
 */
export function absorb(
  graph: Graph,
  tryAbsorb: (node: Node, soleProducer: SoleProducer, current: Graph) => Absorbed | null,
): Graph {
  const uses = countUses(graph);
  const nodes = new Map<string, Node>();
  const constants = new Map(graph.constants);
  const dims = new Map<string, Dims>(graph.dims);
  // shapes and constants with what this walk has derived so far
  const current = { ...graph, constants, dims };
  const soleProducer: SoleProducer = (value) => (uses.get(value) === 1 ? nodes.get(value) : undefined);
  // a long chain on large weights would derive them again at every node: it stays unfused beyond this
  let elements = 2 ** 24;
  for (const constant of graph.constants.values()) elements += 8 * constant.data.length;
  for (const node of graph.nodes) {
    const absorbed = elements > 0 ? tryAbsorb(node, soleProducer, current) : null;
    for (const replaced of absorbed?.replaces ?? []) nodes.delete(replaced.output);
    for (const [name, constant] of Object.entries(absorbed?.constants ?? {})) {
      if (dims.has(name)) throw new ModelError(`value "${name}": this name is kept for derived constants`);
      constants.set(name, constant);
      elements -= constant.data.length;
      dims.set(name, constant.dims);
    }
    nodes.set(node.output, absorbed?.node ?? node);
  }
  return { ...current, nodes: [...nodes.values()] };
}
