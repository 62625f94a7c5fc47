import { ModelError } from '../common/errors.ts';
import { type Dims, formatDims } from '../common/tensor.ts';
import { constantOf, dimsOf, type Graph } from '../graph/ir.ts';
import type { Node } from '../graph/operators/index.ts';
import { asDims4 } from '../graph/shapes.ts';
import type { HeadSpec } from '../kernels/detection/decode.ts';
import { type DetectorGraph, headName } from './detector-graph.ts';

/** Channels of the class, box and keypoint maps, which RetinaFace gives stride by stride, in NCHW. */
const CHANNELS = [4, 8, 20] as const;
const OUTPUTS = 9;
const ANCHORS = 2;
const KEYPOINTS = 5;

/** Whether a graph has RetinaFace's outputs: SCRFD's differ in their order and channels. */
export function isRetinaFace(graph: Graph): boolean {
  const { outputs } = graph;
  if (outputs.length !== OUTPUTS) return false;
  return outputs.every((output, i) => {
    const dims = dimsOf(graph, output);
    return dims.length === 4 && dims[1] === CHANNELS[i % CHANNELS.length];
  });
}

/**
 * The class logits behind the softmax over (background, face) that MXNet's exports spell out:
 *
 *     [n,4,h,w] → Reshape [n,2,2h,w] → Transpose NHWC → Softmax → Transpose NCHW → Reshape [n,4,h,w]
 */
function peelSoftmax(graph: Graph, producers: ReadonlyMap<string, Node>, output: string): string {
  const fail = (what: string, node: Node | undefined): never => {
    throw new ModelError(
      `output "${output}" is not a RetinaFace class map: expected ${what}, got ${node?.op ?? 'an input'}`,
    );
  };
  const joined = producers.get(output);
  if (joined?.op !== 'Reshape') return fail('a Reshape', joined);
  const toFirst = producers.get(joined.inputs[0]!);
  if (toFirst?.op !== 'Transpose' || toFirst.perm.join() !== '0,3,1,2') return fail('a Transpose to NCHW', toFirst);
  const softmax = producers.get(toFirst.inputs[0]!);
  if (softmax?.op !== 'Softmax' || softmax.axis !== 3) return fail('a Softmax over the last axis', softmax);
  const toLast = producers.get(softmax.inputs[0]!);
  if (toLast?.op !== 'Transpose' || toLast.perm.join() !== '0,2,3,1') return fail('a Transpose to NHWC', toLast);
  const split = producers.get(toLast.inputs[0]!);
  if (split?.op !== 'Reshape') return fail('a Reshape', split);
  const logits = split.inputs[0]!;
  const [n, , h, w] = asDims4(`output "${output}"`, dimsOf(graph, output));
  const shapes = [formatDims(dimsOf(graph, logits)), formatDims(split.dims)].join(', ');
  const expected = [formatDims([n, CHANNELS[0], h, w]), formatDims([n, 2, (CHANNELS[0] / 2) * h, w])].join(', ');
  if (shapes !== expected) {
    throw new ModelError(`output "${output}": expected class maps of ${expected}, got ${shapes}`);
  }
  return logits;
}

/**
 * Removes `(x - 127.5) / 128` from the start of the network: the letterbox kernel has done it.
 * @throws ModelError for any other preprocessing, which boxes would silently suffer from
 */
function peelPreprocessing(graph: Graph): Graph {
  const readers = (value: string) => graph.nodes.filter((node) => node.inputs.includes(value));
  const constant = (node: Node, index: number) => {
    const name = node.inputs[index];
    return name !== undefined && graph.constants.has(name) ? constantOf(graph, name).data : undefined;
  };
  const [subtract, ...others] = readers(graph.input);
  const [multiply, ...more] = subtract ? readers(subtract.output) : [];
  const matches =
    subtract?.op === 'Binary' &&
    subtract.operation === 'sub' &&
    constant(subtract, 1)?.every((value) => value === 127.5) &&
    multiply?.op === 'Binary' &&
    multiply.operation === 'mul' &&
    constant(multiply, 1)?.every((value) => value === 1 / 128);
  if (!subtract || !multiply || !matches || others.length > 0 || more.length > 0) {
    throw new ModelError(`input "${graph.input}": expected a RetinaFace that begins with (x - 127.5) / 128`);
  }
  const nodes = graph.nodes
    .filter((node) => node !== subtract && node !== multiply)
    .map((node): Node => {
      const inputs = node.inputs.map((name) => (name === multiply.output ? graph.input : name));
      return { ...node, inputs };
    });
  return { ...graph, nodes };
}

/**
 * Replaces RetinaFace's outputs by one NCHW map a stride, `[class logits | box deltas | keypoint offsets]`, and takes
 * the preprocessing off its start.
 * @throws ModelError when the graph is not RetinaFace-shaped
 */
export function extractRetinaFaceHeads(graph: Graph): DetectorGraph {
  const [batch, , inputHeight, inputWidth] = asDims4('input', dimsOf(graph, graph.input));
  const producers = new Map(graph.nodes.map((node) => [node.output, node]));
  const dims = new Map<string, Dims>(graph.dims);
  const levels: HeadSpec['levels'][number][] = [];
  const concats = Array.from({ length: OUTPUTS / CHANNELS.length }, (_, level): Node => {
    const [classes, boxes, keypoints] = graph.outputs.slice(level * CHANNELS.length) as [string, string, string];
    const [, , height, width] = asDims4(`output "${classes}"`, dimsOf(graph, classes));
    const stride = inputHeight / height;
    if (!Number.isInteger(stride) || width * stride !== inputWidth) {
      throw new ModelError(`output "${classes}": ${height}×${width} cells do not tile ${inputHeight}×${inputWidth}`);
    }
    [classes, boxes, keypoints].forEach((name, kind) => {
      const expected = formatDims([batch, CHANNELS[kind]!, height, width]);
      const got = formatDims(dimsOf(graph, name));
      if (got !== expected)
        throw new ModelError(`output "${name}" is no RetinaFace map: expected ${expected}, got ${got}`);
    });
    levels.push({ stride, width, height });
    const output = headName(graph, stride);
    dims.set(output, [batch, CHANNELS.reduce<number>((sum, count) => sum + count, 0), height, width]);
    const inputs = [peelSoftmax(graph, producers, classes), boxes, keypoints];
    return { op: 'Concat', name: output, inputs, output, axis: 1 };
  });
  const peeled = { ...graph, nodes: [...graph.nodes, ...concats], dims, outputs: concats.map((node) => node.output) };
  return {
    graph: peelPreprocessing(peeled),
    heads: { decoder: 'retinaface', batch, anchors: ANCHORS, keypoints: KEYPOINTS, levels },
  };
}
