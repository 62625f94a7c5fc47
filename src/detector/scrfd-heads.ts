import { ModelError } from '../common/errors.ts';
import { type Dims, formatDims } from '../common/tensor.ts';
import { dimsOf, type Graph } from '../graph/ir.ts';
import type { Node } from '../graph/operators/index.ts';
import { isNoop } from '../graph/passes/drop-noops.ts';
import { asDims4, type Dims4 } from '../graph/shapes.ts';
import { type HeadSpec, MAX_LEVELS } from '../kernels/detection/decode.ts';
import { type DetectorGraph, headName } from './detector-graph.ts';

/** The NCHW map that an output rearranges. */
interface HeadMap {
  readonly output: string;
  readonly value: string;
  readonly dims: Dims4;
  /** Whether a Sigmoid follows: the map is of scores. */
  readonly isScore: boolean;
  /** Values of an anchor, where the output has a row for each. */
  readonly columns: number | undefined;
}

/** The maps of one stride. */
interface Level {
  readonly anchors: number;
  readonly keypoints: number;
  /** Scores, boxes, and keypoints if there are any. */
  readonly maps: readonly HeadMap[];
}

/** Whether a permutation moves channels behind rows and columns; the 2021 exports move the batch there too. */
function movesChannelsLast(perm: readonly number[]): boolean {
  const order = perm.join();
  return order === '0,2,3,1' || order === '2,3,0,1';
}

/**
 * Walks from an output back over Reshape, Transpose and Sigmoid to the NCHW map it rearranges.
 * Checks on the way that the rearrangement is the one that `decode` undoes.
 */
function peel(graph: Graph, producers: ReadonlyMap<string, Node>, output: string): HeadMap {
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
  if (sigmoids > 1) fail(`expected one Sigmoid at most, got ${sigmoids}`);
  if (reshaped && !transposed) fail('expected a Transpose to NHWC before its Reshape, got none');
  const columns = reshaped ? dimsOf(graph, output).at(-1) : undefined;
  return { output, value, dims, isScore: sigmoids === 1, columns };
}

/** Maps of the largest detectors; of other networks with more outputs not all are listed. */
const MOST_LISTED = 3 * MAX_LEVELS;

/** Maps as people list them. */
function describe(maps: readonly HeadMap[]): string {
  const listed = maps
    .slice(0, MOST_LISTED)
    .map(({ output, dims, isScore }) => `"${output}" ${formatDims(dims)}${isScore ? ' of scores' : ''}`);
  const more = maps.length - listed.length;
  return `${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What each map of one stride is, by its channels: A scores, 4A distances and 2KA offsets. Their order tells nothing. */
function sortMaps(maps: readonly HeadMap[]): Level {
  const [, , height, width] = maps[0]!.dims;
  const fail = (expected: string): never => {
    throw new ModelError(
      `model is not an SCRFD detector: of ${height}×${width} cells expected ${expected}, got ${describe(maps)}`,
    );
  };
  const [score, ...others] = maps.filter(({ isScore }) => isScore);
  if (!score || others.length > 0) return fail('one output with a Sigmoid, the scores');
  const anchors = score.dims[1];
  const rest = maps.filter((map) => map !== score);
  const boxes = rest.filter(({ dims }) => dims[1] === 4 * anchors);
  if (boxes.length === 2 && rest.length === 2) {
    return fail(`${4 * anchors} channels of boxes, and another number of keypoints to tell them by`);
  }
  const [box] = boxes;
  const [points, ...more] = rest.filter((map) => map !== box);
  const channels = points?.dims[1] ?? 0;
  if (!box || more.length > 0 || channels % (2 * anchors) !== 0) {
    return fail(
      `boxes of ${4 * anchors} channels for ${anchors} of scores, and at most keypoints in multiples of ${2 * anchors}`,
    );
  }
  const sorted = points ? [score, box, points] : [score, box];
  for (const { output, dims, columns = dims[1] / anchors } of sorted) {
    if (columns * anchors === dims[1]) continue;
    throw new ModelError(
      `output "${output}" is not an SCRFD head: expected rows of ${dims[1] / anchors} values for ${anchors} anchors a cell, got ${columns}`,
    );
  }
  return { anchors, keypoints: channels / (2 * anchors), maps: sorted };
}

/** Levels by ascending stride. */
function readLevels(graph: Graph): Level[] {
  const producers = new Map(graph.nodes.map((node) => [node.output, node]));
  const bySize = new Map<string, HeadMap[]>();
  for (const output of graph.outputs) {
    const map = peel(graph, producers, output);
    const size = map.dims.slice(2).join();
    bySize.set(size, [...(bySize.get(size) ?? []), map]);
  }
  const cells = ([, , height, width]: Dims4) => height * width;
  const groups = [...bySize.values()].sort((a, b) => cells(b[0]!.dims) - cells(a[0]!.dims));
  if (groups.length > MAX_LEVELS) {
    throw new ModelError(
      `model is not an SCRFD detector: expected maps of ${MAX_LEVELS} sizes at most, got ${groups.length}: ${describe(groups.flat())}`,
    );
  }
  const levels = groups.map(sortMaps);
  const [first] = levels;
  const odd = levels.find(({ anchors, keypoints }) => anchors !== first!.anchors || keypoints !== first!.keypoints);
  if (odd) {
    throw new ModelError(
      `model is not an SCRFD detector: expected as many anchors and keypoints at every stride, got ${describe([...first!.maps, ...odd.maps])}`,
    );
  }
  return levels;
}

/** Removes the sigmoid that a head's convolution took over: decode applies its own. */
function withoutSigmoid(node: Node): Node {
  return node.op === 'Conv' && node.activation.kind === 'sigmoid'
    ? { ...node, activation: { kind: 'none' as const } }
    : node;
}

/**
 * Replaces an SCRFD graph's outputs by one NCHW map a stride, without the Transpose, Reshape and Sigmoid that end the file. Names and
 * order of the outputs are never read: scores have a Sigmoid, and channels tell boxes from keypoints, their number and that of the
 * anchors.
 * @throws ModelError saying what was found when the graph is not SCRFD-shaped
 */
export function extractScrfdHeads(graph: Graph): DetectorGraph {
  const [batch, , inputHeight, inputWidth] = asDims4('input', dimsOf(graph, graph.input));
  const levels = readLevels(graph);
  const dims = new Map<string, Dims>(graph.dims);
  const concats: Node[] = [];
  const sizes: HeadSpec['levels'][number][] = [];
  for (const { maps } of levels) {
    const [score] = maps as [HeadMap];
    const [, , height, width] = score.dims;
    const stride = Math.ceil(inputHeight / height);
    if (height * stride !== inputHeight || width * stride !== inputWidth) {
      throw new ModelError(
        `output "${score.output}": a map of ${height}×${width} cells does not tile an input of ${inputHeight}×${inputWidth}`,
      );
    }
    sizes.push({ stride, width, height });
    const output = headName(graph, stride);
    dims.set(output, [batch, maps.reduce((sum, map) => sum + map.dims[1], 0), height, width]);
    concats.push({ op: 'Concat', name: output, inputs: maps.map(({ value }) => value), output, axis: 1 });
  }
  const scoreMaps = new Set(levels.map(({ maps }) => maps[0]!.value));
  const nodes = graph.nodes.map((node) => (scoreMaps.has(node.output) ? withoutSigmoid(node) : node));
  const { anchors, keypoints } = levels[0]!;
  return {
    graph: { ...graph, nodes: [...nodes, ...concats], dims, outputs: concats.map((node) => node.output) },
    heads: { decoder: 'scrfd', batch, anchors, keypoints, levels: sizes },
  };
}
