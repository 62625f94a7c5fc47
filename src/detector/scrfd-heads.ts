import { describeOutputCounts, type HeadLayout } from '../architectures/head-layout.ts';
import { ModelError } from '../common/errors.ts';
import { type Dims, formatDims } from '../common/tensor.ts';
import { dimsOf, type Graph } from '../graph/ir.ts';
import type { Node } from '../graph/operators/index.ts';
import { isNoop } from '../graph/passes/drop-noops.ts';
import { asDims4 } from '../graph/shapes.ts';
import type { HeadSpec } from '../kernels/detection/decode.ts';

/** A graph whose outputs are one NCHW map a stride: `[score logits | distances | keypoint offsets]`, as `decode` reads. */
export interface DetectorGraph {
  readonly graph: Graph;
  readonly heads: HeadSpec;
  /** The file's values that the maps are made of. */
  readonly maps: readonly string[];
}

const WHAT = ['score', 'box', 'keypoint'] as const;
const VALUES = [1, 4, 10] as const;

/** Whether a permutation moves channels behind rows and columns; the 2021 exports move the batch there too. */
function movesChannelsLast(perm: readonly number[]): boolean {
  const order = perm.join();
  return order === '0,2,3,1' || order === '2,3,0,1';
}

/**
 * Walks from an output back over Reshape, Transpose and Sigmoid to the NCHW map it rearranges.
 * Checks on the way that the rearrangement is the one that `decode` undoes.
 */
function peel(graph: Graph, producers: ReadonlyMap<string, Node>, output: string, channels: number, sigmoid: boolean) {
  const fail = (detail: string): never => {
    throw new ModelError(`output "${output}" is not an SCRFD head: ${detail}`);
  };
  let value = output;
  let sigmoids = 0;
  let transposed = false;
  let reshaped = false;
  for (;;) {
    const node = producers.get(value);
    if (node?.op === 'Unary' && node.activation.kind === 'sigmoid') {
      sigmoids++;
    } else if (node?.op === 'Transpose' && !transposed && movesChannelsLast(node.perm)) {
      transposed = true;
    } else if (node?.op === 'Reshape' && isNoop(graph, node)) {
      // an Identity or Cast of the file
    } else if (node?.op === 'Reshape' && !transposed) {
      reshaped = true;
    } else {
      // a fused sigmoid is part of the convolution
      if (node?.op === 'Conv' && node.activation.kind === 'sigmoid') sigmoids++;
      break;
    }
    value = node.inputs[0]!;
  }
  const dims = asDims4(`output "${output}" from "${value}"`, dimsOf(graph, value));
  const [batch] = dimsOf(graph, graph.input);
  if (dims[0] !== batch) fail(`expected ${batch} images in "${value}", got ${formatDims(dims)}`);
  if (dims[1] !== channels) fail(`expected ${channels} channels in "${value}", got ${formatDims(dims)}`);
  if (sigmoids !== (sigmoid ? 1 : 0)) fail(`expected ${sigmoid ? 'one Sigmoid' : 'no Sigmoid'}, got ${sigmoids}`);
  if (reshaped && !transposed) fail('expected a Transpose to NHWC before its Reshape, got none');
  return { value, dims };
}

/** The name of a stride's map. @throws ModelError where the file has taken it */
export function headName(graph: Graph, stride: number): string {
  const name = `:head ${stride}`;
  if (graph.dims.has(name)) throw new ModelError(`value "${name}": this name is kept for what a detector computes`);
  return name;
}

/** Removes the sigmoid that a head's convolution took over: decode applies its own. */
function withoutSigmoid(node: Node): Node {
  return node.op === 'Conv' && node.activation.kind === 'sigmoid'
    ? { ...node, activation: { kind: 'none' as const } }
    : node;
}

/**
 * Replaces an SCRFD graph's 6, 9, 10 or 15 outputs by one NCHW map a stride, without the Transpose, Reshape and
 * Sigmoid that end the file. Output names are never read: their order is the contract.
 * @throws ModelError when the graph is not SCRFD-shaped
 */
export function extractScrfdHeads(graph: Graph, layout: HeadLayout | undefined): DetectorGraph {
  if (!layout) {
    const got = `${graph.outputs.length} (${graph.outputs.join(', ')})`;
    throw new ModelError(`model is not an SCRFD detector: expected ${describeOutputCounts()} outputs, got ${got}`);
  }
  const [batch, , inputHeight, inputWidth] = asDims4('input', dimsOf(graph, graph.input));
  const producers = new Map(graph.nodes.map((node) => [node.output, node]));
  const dims = new Map<string, Dims>(graph.dims);
  const concats: Node[] = [];
  const levels: HeadSpec['levels'][number][] = [];
  const scoreMaps = new Set<string>();
  const kinds = layout.keypoints ? 3 : 2;

  for (let level = 0; level < layout.strides.length; level++) {
    const parts = Array.from({ length: kinds }, (_, kind) => {
      const output = graph.outputs[kind * layout.strides.length + level]!;
      return peel(graph, producers, output, layout.anchors * VALUES[kind]!, kind === 0);
    });
    const [, , height, width] = parts[0]!.dims;
    const stride = Math.ceil(inputHeight / height);
    parts.forEach((part, kind) => {
      if (part.dims[2] !== height || part.dims[3] !== width) {
        throw new ModelError(
          `level ${level}: ${WHAT[kind]} map "${part.value}" expected ${height}×${width} cells, got ${part.dims[2]}×${part.dims[3]}`,
        );
      }
    });
    const previous = levels.at(-1)?.stride ?? 0;
    if (height * stride !== inputHeight || width * stride !== inputWidth || stride <= previous) {
      throw new ModelError(
        `level ${level}: a map of ${height}×${width} cells does not tile an input of ${inputHeight}×${inputWidth} with strides ascending`,
      );
    }
    levels.push({ stride, width, height });
    scoreMaps.add(parts[0]!.value);
    const output = headName(graph, stride);
    const channels = layout.anchors * VALUES.slice(0, kinds).reduce<number>((sum, count) => sum + count, 0);
    dims.set(output, [batch, channels, height, width]);
    concats.push({ op: 'Concat', name: output, inputs: parts.map((part) => part.value), output, axis: 1 });
  }

  const nodes = graph.nodes.map((node) => (scoreMaps.has(node.output) ? withoutSigmoid(node) : node));
  return {
    graph: { ...graph, nodes: [...nodes, ...concats], dims, outputs: concats.map((node) => node.output) },
    heads: { decoder: 'scrfd', batch, anchors: layout.anchors, keypoints: layout.keypoints, levels },
    maps: concats.flatMap((node) => node.inputs),
  };
}
