import type { Dims } from '../../common/tensor.ts';
import { sameDims, sizeOf } from '../../common/tensor.ts';
import { countUses, dimsOf, type Graph } from '../ir.ts';
import type { Node } from '../operators/index.ts';
import { derivedName } from './absorb.ts';

/** Whether rows of channels are an image of these channels, its pixels in order. */
function isFlatImage(flat: Dims, image: Dims): boolean {
  return (
    image.length === 4 &&
    sameDims([flat[0]!, flat[1]!, sizeOf(flat.slice(2))], [image[0]!, image[1]!, image[2]! * image[3]!])
  );
}

/**
 *     Conv → Reshape [n,c] or [n,c,·] → BatchNorm   becomes   Conv → BatchNorm → Reshape
 *
 * so that the convolution takes the normalisation over.
 */
export function liftBatchNorm(graph: Graph): Graph {
  const uses = countUses(graph);
  const dims = new Map(graph.dims);
  const nodes = new Map<string, Node>();
  for (const node of graph.nodes) {
    const reshape = uses.get(node.inputs[0]!) === 1 ? nodes.get(node.inputs[0]!) : undefined;
    const image = reshape && dimsOf(graph, reshape.inputs[0]!);
    if (node.op === 'BatchNorm' && reshape?.op === 'Reshape' && isFlatImage(dimsOf(graph, node.output), image!)) {
      const lifted = derivedName(node.output, 'image');
      dims.set(lifted, image!);
      nodes.delete(reshape.output);
      nodes.set(lifted, { ...node, inputs: reshape.inputs, output: lifted });
      nodes.set(node.output, { ...reshape, inputs: [lifted], output: node.output, dims: dimsOf(graph, node.output) });
    } else nodes.set(node.output, node);
  }
  return { ...graph, dims, nodes: [...nodes.values()] };
}
