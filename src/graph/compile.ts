import type { Dims } from '../common/tensor.ts';
import { candidateBytes, candidatesOf, decode, MAX_LEVELS, recordBytes } from '../kernels/detection/decode.ts';
import { letterbox } from '../kernels/detection/letterbox.ts';
import { faceBytes, nms } from '../kernels/detection/nms.ts';
import { sortCandidates } from '../kernels/detection/sort-candidates.ts';
import type { AdapterTraits } from '../kernels/dispatch.ts';
import type { Model } from '../loader/model.ts';
import { buildGraph } from './build.ts';
import { dimsOf } from './ir.ts';
import { Lowering, type LoweringOptions } from './lower.ts';
import { optimize, optimizeDetector } from './passes/index.ts';
import type { DetectorPlan, NetworkPlan, Operand } from './plan.ts';

export interface CompileOptions extends LoweringOptions {
  /** Merge nodes into fewer kernels; on unless a test or a debugger asks otherwise. */
  readonly fuse?: boolean;
  /** Let values share buffers; on unless a test or a debugger asks otherwise. */
  readonly reuse?: boolean;
  /** Further values to keep as outputs. */
  readonly tap?: readonly string[];
}

/** Whole ONNX graph, `[n, c, h, w]` row-major in, its own outputs out. */
export function compileNetwork(
  model: Model,
  inputDims: Dims,
  traits: AdapterTraits,
  { fuse = true, reuse = true, tap = [], ...options }: CompileOptions = {},
): NetworkPlan {
  const graph = optimize(buildGraph(model, inputDims, tap), fuse);
  const lowering = new Lowering(graph, traits, options);
  const input = lowering.defineInput('plain');
  lowering.lowerNodes();
  const outputs = graph.outputs.map((name) => ({ name, value: lowering.readValue(name, 'plain') }));
  const { bufferOf, ...lowered } = lowering.finish(
    reuse,
    [input],
    outputs.map(({ value }) => value),
  );
  return {
    ...lowered,
    cleared: [],
    input: { name: graph.input, dims: inputDims, buffer: bufferOf(input) },
    outputs: outputs.map(({ name, value }) => ({ name, dims: dimsOf(graph, name), buffer: bufferOf(value) })),
  };
}

export interface DetectorSpec {
  readonly batch: number;
  /** Width and height of each canvas that every image is searched on. */
  readonly canvases: readonly (readonly [width: number, height: number])[];
}

/** Letterbox, network and decode for a batch of images on every canvas, then one sort and NMS an image. */
export function compileDetector(
  model: Model,
  { batch, canvases }: DetectorSpec,
  traits: AdapterTraits,
  options: LoweringOptions = {},
): DetectorPlan {
  const peeled = canvases.map(([width, height]) => optimizeDetector(buildGraph(model, [batch, 3, height, width])));
  const heads = peeled.map((each) => each.heads);
  const list = candidatesOf(heads);
  const lowering = new Lowering(peeled[0]!.graph, traits, options);
  const candidates = lowering.scratch(candidateBytes(list));
  const records = lowering.scratch(recordBytes(list));
  const faces = lowering.scratch(batch * faceBytes(list));
  const pixels: Operand = { kind: 'external', name: 'pixels' };
  const resizeTable: Operand = { kind: 'external', name: 'resizeTable' };
  const imageParams: Operand = { kind: 'external', name: 'imageParams' };

  peeled.forEach(({ graph }, i) => {
    const [width, height] = canvases[i]!;
    lowering.begin(graph);
    const canvas = lowering.defineInput('packed');
    const spec = { batch, width, height, firstImage: i * batch };
    lowering.emit('image', letterbox(spec), [pixels, resizeTable, imageParams, canvas]);
    lowering.lowerNodes();
    const maps = Array.from({ length: MAX_LEVELS }, (_, k) =>
      lowering.readValue(graph.outputs[k] ?? graph.outputs[0]!, 'packed'),
    );
    lowering.emit('faces', decode(heads, i), [imageParams, ...maps, candidates, records]);
  });
  lowering.emit('faces', sortCandidates(list), [candidates]);
  lowering.emit('faces', nms(list), [imageParams, records, candidates, faces]);
  const { bufferOf, ...lowered } = lowering.finish(true, [candidates], [faces]);
  return { ...lowered, cleared: [bufferOf(candidates)], batch, canvases, heads, faces: bufferOf(faces) };
}

/** Multiply-accumulates of all convolutions and learned parameters of a model, at one input size. */
export function countWork(model: Model, inputDims: Dims): { readonly macs: number; readonly parameters: number } {
  const graph = optimize(buildGraph(model, inputDims), true);
  const macs = graph.nodes.reduce((sum, node) => {
    if (node.op !== 'Conv') return sum;
    const [, perGroup, kh, kw] = dimsOf(graph, node.weight) as [number, number, number, number];
    return sum + dimsOf(graph, node.output).reduce((product, dim) => product * dim, 1) * perGroup * kh * kw;
  }, 0);
  const parameters = [...graph.constants.values()].reduce((sum, constant) => sum + constant.data.length, 0);
  return { macs, parameters };
}
