import type { Model } from '../loader/model.ts';
import { buildGraph, type InputDims, isOneShape } from './build.ts';
import { dimsOf, type Graph, inputsOf } from './ir.ts';
import { Lowering, type LoweringOptions } from './lower.ts';
import { optimize } from './passes/index.ts';
import type { NetworkPlan } from './plan.ts';
import { assertBatch, isForeignBatch, stackImages } from './stack-images.ts';
import type { Target } from './target.ts';

export interface CompileOptions extends LoweringOptions {
  /** Merge nodes into fewer kernels; on unless a test or a debugger asks otherwise. */
  readonly fuse?: boolean;
  /** Let values share buffers; on unless a test or a debugger asks otherwise. */
  readonly reuse?: boolean;
  /** Further values to keep as outputs. */
  readonly tap?: readonly string[];
}

/** The model's graph; for a batch that the file says nothing of, that of one image for each of them. */
function graphFor(model: Model, inputDims: InputDims, tap: readonly string[], fuse: boolean): Graph {
  const [input, ...more] = model.inputs;
  const dims = isOneShape(inputDims) ? inputDims : inputDims[input?.name ?? ''];
  // several inputs are all as the file declares them
  if (!dims || more.length > 0) return optimize(buildGraph(model, inputDims, tap), fuse);
  const [batch = 1, ...image] = dims;
  assertBatch(model, batch);
  const own = isForeignBatch(model, batch) ? null : buildGraph(model, dims, tap);
  // a shape that is baked for one image says nothing of a batch either, whatever the input declares
  if (own && !own.spreadBatch) return optimize(own, fuse);
  return stackImages(optimize(buildGraph(model, [1, ...image], tap), fuse), batch);
}

/**
 * Whole ONNX graph, row-major inputs in, its own outputs out.
 * @throws ModelError, ShapeError for a batch of a file made for another one, or for one image with an operator that cannot keep them apart
 */
export function compileNetwork(
  model: Model,
  inputDims: InputDims,
  target: Target,
  { fuse = true, reuse = true, tap = [], ...options }: CompileOptions = {},
): NetworkPlan {
  const optimized = graphFor(model, inputDims, tap, fuse);
  const graph = fuse ? target.fuseLaunches(optimized, target) : optimized;
  const lowering = new Lowering(graph, target, options);
  const inputs = inputsOf(graph).map((name) => ({ name, value: lowering.define(name, 'plain') }));
  lowering.lowerNodes();
  const outputs = graph.outputs.map((name) => ({ name, value: lowering.readValue(name, 'plain') }));
  const valuesOf = (all: typeof inputs) => all.map(({ value }) => value);
  const { bufferOf, ...lowered } = lowering.finish(reuse, valuesOf(inputs), valuesOf(outputs));
  const place = ({ name, value }: (typeof inputs)[number]) => ({
    name,
    dims: dimsOf(graph, name),
    buffer: bufferOf(value),
  });
  return {
    ...lowered,
    cleared: [],
    inputs: inputs.map(place),
    outputs: outputs.map(place),
  };
}
