import { ShapeError } from '../common/errors.ts';
import { type Dims, formatDims } from '../common/tensor.ts';
import type { Model } from '../loader/model.ts';
import { buildGraph } from './build.ts';
import { dimsOf, type Graph } from './ir.ts';
import { mixesImages, type Node } from './operators/index.ts';
import { dropDead } from './passes/drop-dead.ts';

/** Whether the file says nothing of such a batch: it bakes another one, or shapes for one image were spread over it. */
export function isForeignBatch(model: Model, graph: Graph): boolean {
  const [batch] = dimsOf(graph, graph.input);
  const declared = model.inputs[0]?.dims?.[0];
  // those of several inputs are all as the file declares them
  if (model.inputs.length > 1) return false;
  return batch !== 1 && (graph.spreadBatch || (typeof declared === 'number' && declared !== batch));
}

/**
 * Checks that each image of a batch gets what it would get alone: that the leading dimension of every value that the
 * outputs depend on is the batch, and that the graph for one image differs in nothing else.
 * @param graph as built from the model, unfused
 * @throws ShapeError naming the node that mixes images
 */
export function assertBatch(model: Model, graph: Graph, outputs: readonly string[] = graph.outputs): void {
  const [batch, ...image] = dimsOf(graph, graph.input) as [number, ...number[]];
  const declared = model.inputs[0]?.dims?.[0];
  if (typeof declared === 'number' && declared !== 1 && declared !== batch) {
    throw new ShapeError(`input "${graph.input}" is fixed at ${declared} images in the file, got ${batch}`);
  }
  const single = buildGraph(model, [1, ...image]);
  const alone = new Map(single.nodes.map((node) => [node.output, node]));
  const live = dropDead({ ...graph, outputs });
  for (const node of live.nodes) {
    const [dims, singleDims] = [dimsOf(graph, node.output), dimsOf(single, node.output)];
    const apart =
      formatDims(singleDims) === formatDims([1, ...dims.slice(1)]) &&
      dims[0] === batch &&
      node.inputs.every((name) => keepsApart(node, name, dims, graph, single)) &&
      describe(node) === describe(alone.get(node.output)!);
    if (apart) continue;
    throw new ShapeError(
      `${node.name}: ${node.op} does not keep the images of a batch of ${batch} apart: ` +
        `one image gives ${formatDims(singleDims)}, the batch ${formatDims(dims)}; run one image at a time`,
    );
  }
}

/** Operators that take constants among their inputs, and align dimensions from the last on. */
const ALIGNED: readonly string[] = ['Binary', 'Combine', 'MatMul', 'Where'];

/** Whether images stay apart from this input on. Conv, Pool, Resize and the like never join them. */
function keepsApart(node: Node, name: string, dims: Dims, graph: Graph, single: Graph): boolean {
  const constant = graph.constants.get(name);
  if (constant) {
    const { data } = single.constants.get(name)!;
    // the same for every image; a matrix has no dimension for them
    const isMatrix = node.op === 'MatMul' && constant.dims.length < 3;
    const spread = isMatrix || constant.dims.length < dims.length || constant.dims[0] === 1;
    const same = data === constant.data || data.every((v, i) => v === constant.data[i]);
    return ALIGNED.includes(node.op) && spread && same;
  }
  switch (node.op) {
    case 'Binary':
    case 'Combine':
    case 'Where':
      // a smaller operand lies along later dimensions
      return dimsOf(graph, name).length === dims.length;
    case 'MatMul':
      return dimsOf(graph, name).length === dims.length && !mixesImages(node);
    case 'Concat':
    case 'Softmax':
      return node.axis > 0;
    case 'Transpose':
      return node.perm[0] === 0;
    case 'Slice':
      return node.starts[0] === 0 && node.steps[0] === 1;
    default:
      return !mixesImages(node);
  }
}

/** All of a node but the shape that it makes. */
function describe(node: Node): string {
  return JSON.stringify({ ...node, dims: [] });
}
