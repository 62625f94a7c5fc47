import { ModelError } from '../common/errors.ts';
import type { Graph } from '../graph/ir.ts';
import type { HeadSpec } from '../kernels/detection/decode.ts';

/** A graph whose outputs are one NCHW map a stride: `[score logits | distances | keypoint offsets]`, as `decode` reads. */
export interface DetectorGraph {
  readonly graph: Graph;
  readonly heads: HeadSpec;
}

/** The name of a stride's map. @throws ModelError where the file has taken it */
export function headName(graph: Graph, stride: number): string {
  const name = `:head ${stride}`;
  if (graph.dims.has(name)) throw new ModelError(`value "${name}": this name is kept for what a detector computes`);
  return name;
}
